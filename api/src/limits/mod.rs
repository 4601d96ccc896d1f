//! Rate limits that all replicas of the front end keep together.
//!
//! Every replica counts for itself, in memory, and never asks anybody while a request waits. Ten times a
//! second it tells the others what it let through ([`Exchange`]), and counts what they tell as its
//! own. What is told is time, by which the bucket fills later, so replicas need not agree about
//! clocks, and not about limits either.
//!
//! How exact it is: between two exchanges a replica does not know what the others let through. At
//! worst each of `n` replicas lets a whole burst through at once; all of it is counted, so that the
//! excess is paid back before anything more is let through, and beyond that moment the rate is
//! exact. Wrong guesses at passwords are counted and told in the same way. Without NATS each replica keeps the limit alone. A replica that starts knows nothing of
//! the past, nor does one that had to make room for [`MAX_BUCKETS`] other callers.

mod allow;
mod bucket;
mod exchange;
mod guesses;
mod key;
mod options;
mod policy;
mod queue;
mod standing;
mod wire;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use quick_cache::sync::Cache;
use tokio::time::Instant;

pub use self::{
    allow::AllowList,
    exchange::{Exchange, ExchangeError, clear, clear_guesses},
    guesses::GuessOptions,
    key::Subject,
    options::LimitOptions,
    policy::{Policy, Quota},
    standing::Standing,
};
use self::{bucket::Bucket, guesses::Guesses, key::Key, queue::Queue};

/// Of each policy; the ones that were not used for longest go first, and come back full.
pub const MAX_BUCKETS: usize = 50_000;

type Buckets = Cache<Key, Arc<Bucket>>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    options: LimitOptions,
    /// Of each policy its own, so that a flood of addresses pushes no user's bucket out.
    buckets: [Buckets; Policy::ALL.len()],
    /// What the others have not been told yet.
    untold: Queue,
    guesses: Guesses,
    /// Whether there is an exchange that tells it.
    shared: AtomicBool,
    /// Where the nanoseconds of the buckets count from.
    epoch: Instant,
}

impl Limits {
    pub fn new(options: LimitOptions) -> Self {
        Self(Arc::new(Inner {
            guesses: Guesses::new(options.guesses.clone()),
            options,
            buckets: Policy::ALL.map(|_| Cache::new(MAX_BUCKETS)),
            untold: Queue::default(),
            shared: AtomicBool::new(false),
            epoch: Instant::now(),
        }))
    }

    pub fn allow(&self) -> &AllowList {
        &self.0.options.allow
    }

    /// Takes `cost` tokens, if so many are there. More than a burst never are.
    pub fn take(&self, policy: Policy, subject: &Subject<'_>, cost: u32) -> Standing {
        self.take_of(policy, subject, self.0.options.quota(policy), cost)
    }

    /// Likewise, of a subject that has a quota of its own.
    pub fn take_of(
        &self,
        policy: Policy,
        subject: &Subject<'_>,
        quota: Quota,
        cost: u32,
    ) -> Standing {
        let key = Key::of(policy, subject);
        let bucket = self.0.bucket(policy, key);
        let draw = bucket.take(self.0.now(), quota.into(), cost);
        if draw.taken > 0 && self.0.is_shared() && bucket.owe(draw.taken) {
            self.0.untold.push(policy, key, bucket);
        }
        Standing::new(policy, quota, draw)
    }

    /// Looks without taking.
    pub fn peek(&self, policy: Policy, subject: &Subject<'_>) -> Standing {
        let quota = self.0.options.quota(policy);
        let bucket = self.0.buckets[policy as usize].get(&Key::of(policy, subject));
        let bucket = bucket.unwrap_or_default();
        Standing::new(policy, quota, bucket.take(self.0.now(), quota.into(), 0))
    }

    /// Counts a guess at somebody's secret as a wrong one, or says how many seconds it has to wait.
    pub fn begin_guess(&self, subject: &Subject<'_>) -> Result<(), u64> {
        let begun = self.0.guesses.begin(self.0.now(), subject, self.0.is_shared());
        begun.map_err(|nanoseconds| nanoseconds.div_ceil(1_000_000_000))
    }

    /// Wrong guesses in a row, and the seconds until the next is looked at.
    pub fn guesses_at(&self, subject: &Subject<'_>) -> (u32, u64) {
        let (count, wait) = self.0.guesses.peek(self.0.now(), subject);
        (count, wait.div_ceil(1_000_000_000))
    }

    /// The guess that was begun was right.
    pub fn guessed_right(&self, subject: &Subject<'_>) {
        self.0.guesses.right(subject, self.0.is_shared());
    }

    /// Buckets in memory, of all policies.
    pub fn len(&self) -> usize {
        self.0.buckets.iter().map(Cache::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Inner {
    fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        // 584 years of nanoseconds.
        self.epoch.elapsed().as_nanos() as u64
    }

    fn bucket(&self, policy: Policy, key: Key) -> Arc<Bucket> {
        let fresh = || Ok::<_, Infallible>(Arc::default());
        let Ok(bucket) = self.buckets[policy as usize].get_or_insert_with(&key, fresh);
        bucket
    }

    /// Counts what another replica let through.
    fn told(&self, policy: Policy, key: Key, taken: u64) {
        self.bucket(policy, key).add(self.now(), taken);
    }

    /// Fills a bucket, here only.
    fn forget(&self, policy: Policy, key: &Key) {
        if let Some((_, bucket)) = self.buckets[policy as usize].remove(key) {
            bucket.clear();
        }
    }
}
