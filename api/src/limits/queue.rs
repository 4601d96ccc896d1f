use std::sync::{Arc, Mutex, PoisonError};

use super::{MAX_BUCKETS, Policy, bucket::Bucket, key::Key};

pub type Owing = (Policy, Key, Arc<Bucket>);

/// The buckets of which others have something to be told, each once.
#[derive(Default)]
pub struct Queue(Mutex<Vec<Owing>>);

impl Queue {
    /// With no room left the others are not told of it.
    pub fn push(&self, policy: Policy, key: Key, bucket: Arc<Bucket>) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() < MAX_BUCKETS {
            queue.push((policy, key, bucket));
        } else {
            bucket.tell();
        }
    }

    pub fn drain(&self) -> Vec<Owing> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
