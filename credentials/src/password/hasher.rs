use std::sync::Arc;

use rand::CryptoRng;
use secrecy::SecretString;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
};

use super::{OptionsError, PasswordOptions, Policy, Scheme, SchemeError, Verdict, Weakness};

/// Does the slow work on passwords on few threads, so that a flood of logins slows down nothing else.
#[derive(Debug, Clone)]
pub struct Hasher {
    scheme: Arc<Scheme>,
    policy: Policy,
    /// Work under way and work that waits.
    places: Arc<Semaphore>,
    threads: Arc<Semaphore>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HasherError {
    /// Nothing was done; asking again later may succeed.
    #[error("too many passwords are being checked at the moment; try again in a moment")]
    Overloaded,
    #[error("the work on a password was broken off")]
    BrokenOff,
    #[error(transparent)]
    Scheme(#[from] SchemeError),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseError {
    #[error(transparent)]
    Weak(#[from] Weakness),
    #[error(transparent)]
    Hasher(#[from] HasherError),
}

impl Hasher {
    pub fn new(options: &PasswordOptions) -> Result<Self, OptionsError> {
        if !(1..=256).contains(&options.threads) || options.waiting > 100_000 {
            return Err(OptionsError::Pool);
        }
        Ok(Self {
            scheme: Arc::new(Scheme::new(options)?),
            policy: Policy::new(options)?,
            places: Arc::new(Semaphore::new(options.threads + options.waiting)),
            threads: Arc::new(Semaphore::new(options.threads)),
        })
    }

    /// The text to store for a new password, if it is strong enough for someone of whom the hints are
    /// known.
    pub async fn choose(
        &self,
        password: SecretString,
        hints: Vec<String>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<String, ChooseError> {
        let policy = self.policy;
        let salt = salt(rng);
        self.run(move |scheme| {
            policy.judge(&password, &hints)?;
            Ok(scheme.hash(&password, salt).map_err(HasherError::from)?)
        })
        .await?
    }

    /// The text to store for a password that was right and is stored in an older way.
    pub async fn renew(
        &self,
        password: SecretString,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<String, HasherError> {
        let salt = salt(rng);
        self.run(move |scheme| Ok(scheme.hash(&password, salt)?)).await?
    }

    /// `stored` is `None` for an account that does not exist, which takes as long.
    pub async fn verify(
        &self,
        password: SecretString,
        stored: Option<String>,
    ) -> Result<Verdict, HasherError> {
        self.run(move |scheme| {
            Ok(match stored {
                Some(stored) => scheme.verify(&password, &stored)?,
                None => scheme.verify_absent(&password)?,
            })
        })
        .await?
    }

    /// Whoever stops waiting gives the place back; work that has begun keeps it until it ends.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Scheme) -> T + Send + 'static,
    ) -> Result<T, HasherError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| HasherError::Overloaded)?;
        let thread = Arc::clone(&self.threads).acquire_owned().await;
        let thread = thread.map_err(|_| HasherError::BrokenOff)?;
        let scheme = Arc::clone(&self.scheme);
        task::spawn_blocking(move || {
            let _held: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (place, thread);
            work(&scheme)
        })
        .await
        .map_err(|_| HasherError::BrokenOff)
    }
}

fn salt(rng: &mut (impl CryptoRng + ?Sized)) -> [u8; 16] {
    let mut salt = [0; 16];
    rng.fill_bytes(&mut salt);
    salt
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn hasher(threads: usize, waiting: usize) -> Hasher {
        let cheap = PasswordOptions {
            memory_kib: 64,
            iterations: 1,
            threads,
            waiting,
            min_score: 2,
            ..PasswordOptions::default()
        };
        Hasher::new(&cheap).unwrap()
    }

    fn rng() -> StdRng {
        StdRng::seed_from_u64(7)
    }

    #[tokio::test]
    async fn a_chosen_password_is_the_one_that_logs_in() {
        let hasher = hasher(1, 1);
        let stored = hasher.choose("violet anchor".into(), vec![], &mut rng()).await.unwrap();
        let verify =
            |given: &str, stored: &str| hasher.verify(given.into(), Some(stored.to_owned()));
        assert_eq!(verify("violet anchor", &stored).await, Ok(Verdict::Right));
        assert_eq!(verify("violet", &stored).await, Ok(Verdict::Wrong));
        assert_eq!(hasher.verify("".into(), None).await, Ok(Verdict::Wrong));
        let renewed =
            hasher.renew("violet anchor".into(), &mut StdRng::seed_from_u64(8)).await.unwrap();
        assert_ne!(renewed, stored);
        assert_eq!(verify("violet anchor", &renewed).await, Ok(Verdict::Right));
    }

    #[tokio::test]
    async fn a_weak_password_is_not_hashed() {
        let chosen = hasher(1, 1).choose("password".into(), vec![], &mut rng()).await;
        assert!(matches!(chosen, Err(ChooseError::Weak(Weakness::Guessable(_)))));
    }

    /// Work that has begun, and goes on until it is released.
    async fn occupy(
        hasher: &Hasher,
    ) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<bool, HasherError>>) {
        let (release, held) = mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let busy = tokio::spawn({
            let hasher = hasher.clone();
            async move {
                hasher
                    .run(move |_| {
                        let _ = begun.send(());
                        held.recv().is_ok()
                    })
                    .await
            }
        });
        has_begun.await.unwrap();
        (release, busy)
    }

    #[tokio::test]
    async fn work_beyond_the_queue_is_turned_away_at_once_and_the_rest_is_done() {
        let hasher = hasher(1, 1);
        let (release, busy) = occupy(&hasher).await;
        let mut waiting = Box::pin(hasher.verify("x".into(), None));
        assert!(still_waits(&mut waiting).await);

        assert_eq!(hasher.verify("x".into(), None).await, Err(HasherError::Overloaded));

        release.send(()).unwrap();
        assert_eq!(busy.await.unwrap(), Ok(true));
        assert_eq!(waiting.await, Ok(Verdict::Wrong));
        assert_eq!(hasher.verify("x".into(), None).await, Ok(Verdict::Wrong));
    }

    #[tokio::test]
    async fn whoever_stops_waiting_gives_the_place_back() {
        let hasher = hasher(1, 1);
        let (release, busy) = occupy(&hasher).await;
        for _ in 0..5 {
            let mut waiting = Box::pin(hasher.verify("x".into(), None));
            assert!(still_waits(&mut waiting).await, "there was no place");
        }
        release.send(()).unwrap();
        busy.await.unwrap().unwrap();
    }

    #[test]
    fn a_pool_without_threads_is_refused() {
        let options = PasswordOptions { threads: 0, ..PasswordOptions::default() };
        assert_eq!(Hasher::new(&options).unwrap_err(), OptionsError::Pool);
    }

    /// Whether the future still waits after it was looked at once.
    async fn still_waits<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }
}
