//! Who is heard next while there is no room for another request.
//!
//! A connection on which something has come is a task that can run. When far more is asked than can
//! be worked on there are hundreds of them, nearly all to be refused, and each step of a request in
//! work would wait until all have run. So only a few are heard before everything else that can run
//! has run; the others wait here, first come, first heard.

use std::{
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    sync::{AcquireError, Notify, Semaphore, SemaphorePermit},
    task::yield_now,
    time::Instant,
};

/// Heard in one round. More would cost those in work time, fewer those who wait here.
const A_ROUND: usize = 4;

pub(super) struct Turns {
    left: Semaphore,
    taken: AtomicUsize,
    asked_for: Notify,
}

/// Of one connection.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    waiting: Option<(Instant, Waiting<'a>)>,
}

type Waiting<'a> =
    Pin<Box<dyn Future<Output = Result<SemaphorePermit<'a>, AcquireError>> + Send + 'a>>;

impl Turns {
    pub fn new() -> Self {
        let left = Semaphore::new(A_ROUND);
        Self { left, taken: AtomicUsize::new(0), asked_for: Notify::new() }
    }

    /// Begins one round after the other, for as long as there may be connections.
    pub async fn keep(&self) {
        loop {
            self.asked_for.notified().await;
            yield_now().await;
            self.left.add_permits(self.taken.swap(0, Ordering::Relaxed));
        }
    }

    pub fn of_connection(&self) -> Turn<'_> {
        Turn { turns: self, waiting: None }
    }
}

impl Turn<'_> {
    /// The turn, and how long it was waited for.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Duration> {
        let turns = self.turns;
        let (since, waiting) =
            self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(turns.left.acquire())));
        let permit = ready!(waiting.as_mut().poll(context));
        let waited = since.elapsed();
        self.waiting = None;
        if let Ok(permit) = permit {
            permit.forget();
            turns.taken.fetch_add(1, Ordering::Relaxed);
            turns.asked_for.notify_one();
        }
        Poll::Ready(waited)
    }

    /// Waits no longer. Gives how long it did, if it did.
    pub fn leave(&mut self) -> Option<Duration> {
        self.waiting.take().map(|(since, _)| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[tokio::test]
    async fn whatever_can_run_runs_after_each_round() {
        let (turns, said) = (Arc::new(Turns::new()), Arc::new(Mutex::new(Vec::new())));
        let rounds = Arc::clone(&turns);
        let rounds = tokio::spawn(async move { rounds.keep().await });
        let hear = |number: usize| {
            let (turns, said) = (Arc::clone(&turns), Arc::clone(&said));
            async move {
                let mut turn = turns.of_connection();
                poll_fn(|context| turn.poll(context)).await;
                said.lock().unwrap().push(Some(number));
            }
        };
        let heard: Vec<_> = (0..3 * A_ROUND).map(|number| tokio::spawn(hear(number))).collect();
        let work = Arc::clone(&said);
        let work = tokio::spawn(async move {
            for _ in 0..4 {
                work.lock().unwrap().push(None);
                yield_now().await;
            }
        });
        for heard in heard {
            heard.await.unwrap();
        }
        work.await.unwrap();
        rounds.abort();
        let said = said.lock().unwrap();
        let numbers: Vec<_> = said.iter().copied().flatten().collect();
        assert_eq!(numbers, (0..3 * A_ROUND).collect::<Vec<_>>());
        let longest = said.split(Option::is_none).map(<[_]>::len).max();
        assert!(longest <= Some(A_ROUND), "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_costs_the_next_no_turn() {
        let turns = Turns::new();
        let mut all: Vec<_> = (0..A_ROUND + 2).map(|_| turns.of_connection()).collect();
        let (leaves, stays) = (A_ROUND, A_ROUND + 1);
        for (number, turn) in all.iter_mut().enumerate() {
            let waits = poll_fn(|context| Poll::Ready(turn.poll(context).is_pending())).await;
            assert_eq!(waits, number >= A_ROUND);
        }
        let wait = Duration::from_millis(30);
        tokio::time::advance(wait).await;
        assert_eq!(all[leaves].leave(), Some(wait));
        assert_eq!(all[0].leave(), None);
        turns.left.add_permits(1);
        assert_eq!(poll_fn(|context| all[stays].poll(context)).await, wait);
    }
}
