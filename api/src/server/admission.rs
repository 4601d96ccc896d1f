//! How many requests are worked on at once.
//!
//! More would only wait for each other further inside, where nobody can refuse them cheaply. A few
//! more may wait here for a moment, which takes up a burst; everybody else is told at once to come
//! back later, so that those who are let in are answered as quickly as ever.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

pub(super) struct Admission {
    limit: usize,
    work: Arc<Semaphore>,
    queue: Semaphore,
    aside: Arc<Semaphore>,
    patience: Duration,
}

/// Being worked on. It ends when it is dropped.
pub(crate) struct Admitted {
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    aside: Arc<Semaphore>,
}

impl Admission {
    /// A quarter as many may wait as are worked on, each for as long as `patience`: whoever is let
    /// in bears the wait of all before it.
    pub fn new(limit: usize, patience: Duration) -> Self {
        let queue = Semaphore::new((limit / 4).max(1));
        let (work, aside) = (Arc::new(Semaphore::new(limit)), Arc::new(Semaphore::new(limit)));
        Self { limit, work, queue, aside, patience }
    }

    /// Whether a request that comes now can only be refused.
    pub fn is_full(&self) -> bool {
        self.work.available_permits() == 0 && self.queue.available_permits() == 0
    }

    pub async fn enter(&self) -> Option<Arc<Admitted>> {
        let permit = match Arc::clone(&self.work).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_taken) => {
                let _waiting = self.queue.try_acquire().ok()?;
                timeout(self.patience, Arc::clone(&self.work).acquire_owned()).await.ok()?.ok()?
            }
        };
        let aside = Arc::clone(&self.aside);
        Some(Arc::new(Admitted { permit: Mutex::new(Some(permit)), aside }))
    }

    pub fn at_work(&self) -> usize {
        self.limit - self.work.available_permits()
    }
}

impl Admitted {
    /// Lets others work while this request only waits for something to happen. There is room for
    /// as many of these as are worked on.
    pub fn step_aside(&self) -> Option<OwnedSemaphorePermit> {
        let aside = Arc::clone(&self.aside).try_acquire_owned().ok()?;
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take();
        Some(aside)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn one_works_one_waits_and_a_third_is_refused_at_once() {
        let admission = Admission::new(1, PATIENCE);
        let working = admission.enter().await;
        assert!(working.is_some() && !admission.is_full());
        let begun = Instant::now();
        let waits = async {
            assert!(admission.enter().await.is_none());
            assert_eq!(begun.elapsed(), PATIENCE);
        };
        let comes_later = async {
            assert!(admission.is_full());
            assert!(admission.enter().await.is_none());
            assert!(begun.elapsed().is_zero());
        };
        tokio::join!(waits, comes_later);
        drop(working);
        assert!(admission.enter().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_steps_aside_lets_another_in_and_only_so_many_may() {
        let admission = Admission::new(1, PATIENCE);
        let first = admission.enter().await.unwrap();
        let aside = first.step_aside();
        assert!(aside.is_some());
        let second = admission.enter().await.unwrap();
        assert!(second.step_aside().is_none());
        drop(aside);
        assert!(second.step_aside().is_some());
    }
}
