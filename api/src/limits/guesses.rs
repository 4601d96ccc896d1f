use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quick_cache::sync::Cache;

use super::{MAX_BUCKETS, Subject, key::Key};

/// The name over the wire, beside those of policies.
pub const NAME: &str = "guess";
/// Without a wrong guess for so long, the former ones are forgotten.
const MEMORY: Duration = Duration::from_secs(3600);

/// How the guessing of passwords is slowed down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuessOptions {
    /// Wrong guesses at an account, and of an address, that cost no delay.
    pub free: u32,
    pub free_of_address: u32,
    /// After the first that is not free; each further one doubles it.
    pub delay: Duration,
    pub max_delay: Duration,
}

impl Default for GuessOptions {
    fn default() -> Self {
        Self {
            free: 3,
            free_of_address: 10,
            delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(300),
        }
    }
}

/// Wrong guesses, by whom they are about. A guess counts as wrong until it is known to be right, so
/// that many at once are no more than many in a row.
pub struct Guesses {
    options: GuessOptions,
    known: Cache<Key, Arc<Mutex<Wrong>>>,
    /// Of which others have something to be told.
    untold: Mutex<Vec<(Key, Arc<Mutex<Wrong>>)>>,
}

#[derive(Debug, Default)]
struct Wrong {
    count: u32,
    /// Nanoseconds of [`super::Limits`]' own clock.
    last: u64,
    untold: i64,
    queued: bool,
}

impl Guesses {
    pub fn new(options: GuessOptions) -> Self {
        Self { options, known: Cache::new(MAX_BUCKETS), untold: Mutex::default() }
    }

    /// Counts a guess, unless it has to wait; then it says how many nanoseconds.
    pub fn begin(&self, now: u64, subject: &Subject<'_>, shared: bool) -> Result<(), u64> {
        let key = Key::named(NAME, subject);
        let wrong = self.wrong(&key);
        let mut held = lock(&wrong);
        held.forget_old(now);
        let due = held.last.saturating_add(self.delay(subject, held.count));
        if held.count > 0 && now < due {
            return Err(due - now);
        }
        held.last = now;
        self.change(key, &wrong, held, 1, shared);
        Ok(())
    }

    /// The count, and the nanoseconds that the next guess would wait.
    pub fn peek(&self, now: u64, subject: &Subject<'_>) -> (u32, u64) {
        let Some(wrong) = self.known.get(&Key::named(NAME, subject)) else { return (0, 0) };
        let mut held = lock(&wrong);
        held.forget_old(now);
        let due = held.last.saturating_add(self.delay(subject, held.count));
        (held.count, if held.count > 0 { due.saturating_sub(now) } else { 0 })
    }

    /// The guess was right: the address has this one back, the account all.
    pub fn right(&self, subject: &Subject<'_>, shared: bool) {
        let key = Key::named(NAME, subject);
        let Some(wrong) = self.known.get(&key) else { return };
        let held = lock(&wrong);
        let back = if matches!(subject, Subject::Address(_)) { 1 } else { held.count };
        self.change(key, &wrong, held, -i64::from(back), shared);
    }

    fn change(
        &self,
        key: Key,
        wrong: &Arc<Mutex<Wrong>>,
        mut held: MutexGuard<'_, Wrong>,
        by: i64,
        shared: bool,
    ) {
        held.add(by);
        if !shared {
            return;
        }
        held.untold += by;
        let mut queue = lock(&self.untold);
        if !held.queued && queue.len() < MAX_BUCKETS {
            held.queued = true;
            queue.push((key, Arc::clone(wrong)));
        }
    }

    /// What others have to be told, which they now are. Fewer are told as what they are in two's
    /// complement.
    pub fn tell(&self) -> Vec<(Key, u64)> {
        let queue = std::mem::take(&mut *lock(&self.untold));
        let told = queue.into_iter().map(|(key, wrong)| {
            let mut held = lock(&wrong);
            held.queued = false;
            (key, std::mem::take(&mut held.untold).cast_unsigned())
        });
        told.filter(|(_, by)| *by != 0).collect()
    }

    pub fn told(&self, now: u64, key: &Key, by: u64) {
        let by = by.cast_signed();
        let wrong = self.wrong(key);
        let mut held = lock(&wrong);
        held.forget_old(now);
        if by > 0 {
            held.last = now;
        }
        held.add(by);
    }

    pub fn forget(&self, key: &Key) {
        if let Some((_, wrong)) = self.known.remove(key) {
            *lock(&wrong) = Wrong::default();
        }
    }

    fn wrong(&self, key: &Key) -> Arc<Mutex<Wrong>> {
        let Ok(wrong) = self.known.get_or_insert_with(key, || Ok::<_, Infallible>(Arc::default()));
        wrong
    }

    fn delay(&self, subject: &Subject<'_>, count: u32) -> u64 {
        let options = &self.options;
        let free = match subject {
            Subject::Address(_) => options.free_of_address,
            Subject::Id(_) | Subject::Text(_) => options.free,
        };
        let Some(doublings) = count.checked_sub(free.max(1)) else { return 0 };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let delay = options.delay.saturating_mul(factor).min(options.max_delay);
        delay.as_nanos() as u64
    }
}

impl Wrong {
    fn add(&mut self, by: i64) {
        let count = i64::from(self.count).saturating_add(by);
        self.count = count.clamp(0, u32::MAX.into()) as u32;
    }

    fn forget_old(&mut self, now: u64) {
        if now.saturating_sub(self.last) > MEMORY.as_nanos() as u64 {
            self.count = 0;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const ANN: Subject<'static> = Subject::Text("ann");

    fn guesses() -> Guesses {
        Guesses::new(GuessOptions { max_delay: Duration::from_secs(5), ..GuessOptions::default() })
    }

    #[test]
    fn each_wrong_guess_beyond_the_free_ones_doubles_the_delay_up_to_the_longest() {
        let (guesses, mut now) = (guesses(), SECOND);
        for wait_s in [0, 0, 0, 1, 2, 4, 5, 5] {
            if wait_s > 0 {
                assert_eq!(guesses.begin(now, &ANN, false), Err(wait_s * SECOND));
                now += wait_s * SECOND;
            }
            assert_eq!(guesses.begin(now, &ANN, false), Ok(()));
        }
        assert_eq!(guesses.begin(now, &Subject::Text("bob"), false), Ok(()));
        now += MEMORY.as_nanos() as u64 + 1;
        assert_eq!(guesses.begin(now, &ANN, false), Ok(()));
        assert_eq!(guesses.begin(now, &ANN, false), Ok(()));
    }

    #[test]
    fn a_right_guess_forgives_the_account_all_and_the_address_itself() {
        let guesses = guesses();
        let address = Subject::Address("192.0.2.1".parse().unwrap());
        for subject in [&ANN, &address] {
            for _ in 0..3 {
                assert_eq!(guesses.begin(1, subject, false), Ok(()));
            }
            guesses.right(subject, false);
        }
        let count = |subject| lock(&guesses.wrong(&Key::named(NAME, subject))).count;
        assert_eq!((count(&ANN), count(&address)), (0, 2));
    }

    #[test]
    fn another_replica_counts_what_it_is_told() {
        let (one, two) = (guesses(), guesses());
        let tell = || one.tell().iter().for_each(|(key, by)| two.told(1, key, *by));
        for _ in 0..3 {
            assert_eq!(one.begin(1, &ANN, true), Ok(()));
        }
        tell();
        assert_eq!(two.begin(1, &ANN, true), Err(SECOND));
        one.right(&ANN, true);
        tell();
        assert_eq!(two.begin(1, &ANN, true), Ok(()));
        assert!(one.tell().is_empty());
    }
}
