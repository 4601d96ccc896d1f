//! Rights that end. Each replica follows the log for what ends somebody's access, looks no longer at
//! what it remembers of them, ends their streams, and tells the others how far it has got, so that
//! whoever revokes something can say since when that holds everywhere.
//!
//! Without it a right ends too, when what is remembered is looked up again after half a second; streams
//! go on until then, and nobody can say so.

mod follow;
mod over;
mod replicas;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

pub(crate) use follow::keep_revocations;

/// A replica that was not heard of for so long is gone.
const ALIVE_FOR: Duration = Duration::from_secs(3);
/// How long is waited for the replicas. Whoever has not answered then has looked again by itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// How far the replicas have followed the log.
#[derive(Default)]
pub(crate) struct Revocations {
    replicas: Mutex<HashMap<Uuid, Reached>>,
    moved: Notify,
}

struct Reached {
    position: u64,
    heard: Instant,
}

/// What became of a right that ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// Since the command that ended it.
    pub after: Duration,
    /// How many replicas were waited for.
    pub replicas: u32,
    /// Whether each of them said so.
    pub everywhere: bool,
}

impl Revocations {
    fn note(&self, replica: Uuid, position: u64) {
        let mut replicas = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
        let heard = Instant::now();
        replicas.retain(|_, other| heard - other.heard < ALIVE_FOR);
        let reached = replicas.entry(replica).or_insert(Reached { position, heard });
        *reached = Reached { position: position.max(reached.position), heard };
        self.moved.notify_waiters();
    }

    fn forget(&self, replica: Uuid) {
        self.replicas.lock().unwrap_or_else(PoisonError::into_inner).remove(&replica);
        self.moved.notify_waiters();
    }

    /// How many replicas there are, and how many of them have not got there.
    fn count(&self, position: u64) -> (u32, usize) {
        let replicas = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = replicas.values().filter(|replica| replica.heard.elapsed() < ALIVE_FOR);
        let positions: Vec<_> = alive.map(|replica| replica.position).collect();
        let behind = positions.iter().filter(|reached| **reached < position).count();
        (positions.len() as u32, behind)
    }

    /// Until what ended at this position has ended on every replica. It was asked for at `since`.
    pub async fn hold(&self, position: u64, since: Instant) -> Held {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let moved = self.moved.notified();
            let (replicas, behind) = self.count(position);
            let everywhere = replicas > 0 && behind == 0;
            if everywhere || timeout_at(deadline, moved).await.is_err() {
                return Held { after: since.elapsed(), replicas, everywhere };
            }
        }
    }

    /// How many replicas there are.
    pub fn replicas(&self) -> u32 {
        self.count(0).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_right_has_ended_when_every_replica_that_is_alive_says_so() {
        let revocations = Revocations::default();
        let [one, two] = [1, 2].map(Uuid::from_u128);
        revocations.note(one, 7);
        revocations.note(two, 5);
        let since = Instant::now();
        let late = async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            revocations.note(two, 7);
        };
        let (held, ()) = tokio::join!(revocations.hold(7, since), late);
        assert!(held.everywhere && held.replicas == 2, "{held:?}");
        assert!(held.after >= Duration::from_millis(40), "{held:?}");

        let held = revocations.hold(8, since).await;
        assert!(!held.everywhere, "{held:?}");
        revocations.note(one, 8);
        // The other one is gone by now.
        let held = revocations.hold(8, since).await;
        assert!(held.everywhere && held.replicas == 1, "{held:?}");
    }
}
