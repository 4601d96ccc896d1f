//! Request quotas: token buckets in memory, one per API key or client address.

use std::{hash::Hash, sync::Arc, time::Duration};

use poem::http::{HeaderMap, HeaderName, HeaderValue};
use quick_cache::sync::Cache;
use tokio::{sync::Mutex, time::Instant};

use crate::problem::{Code, Problem};

/// Buckets kept; the ones that were not used for longest go first, and come back full.
const MAX_BUCKETS: usize = 50_000;
const WINDOW: Duration = Duration::from_secs(60);

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Buckets of one policy.
pub(crate) struct Quotas<K> {
    name: &'static str,
    /// Tokens of a full bucket; as many come back in a window.
    limit: u32,
    buckets: Cache<K, Arc<Mutex<Bucket>>>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

/// What the bucket of one caller says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    name: &'static str,
    limit: u32,
    pub remaining: u32,
    /// Until one more request is allowed when none remains, else until the bucket is full.
    reset_s: u64,
    pub exhausted: bool,
}

impl<K: Hash + Eq + Clone> Quotas<K> {
    pub fn new(name: &'static str, limit: u32) -> Self {
        Self { name, limit: limit.max(1), buckets: Cache::new(MAX_BUCKETS) }
    }

    /// Takes a token if there is one.
    pub async fn take(&self, key: &K) -> Standing {
        self.take_of(key, self.limit).await
    }

    /// Likewise, of a caller that has a limit of its own.
    pub async fn take_of(&self, key: &K, limit: u32) -> Standing {
        self.draw(key, limit.max(1), 1.0).await
    }

    /// Looks without taking.
    pub async fn peek(&self, key: &K) -> Standing {
        self.draw(key, self.limit, 0.0).await
    }

    async fn draw(&self, key: &K, quota: u32, cost: f64) -> Standing {
        let limit = f64::from(quota);
        let fresh = || Arc::new(Mutex::new(Bucket { tokens: limit, at: Instant::now() }));
        let bucket = match self.buckets.get(key) {
            Some(bucket) => bucket,
            None => {
                let bucket = fresh();
                self.buckets.insert(key.clone(), Arc::clone(&bucket));
                bucket
            }
        };
        let mut bucket = bucket.lock().await;
        let rate = limit / WINDOW.as_secs_f64();
        let now = Instant::now();
        let earned = now.duration_since(bucket.at).as_secs_f64() * rate;
        bucket.tokens = (bucket.tokens + earned).min(limit);
        bucket.at = now;
        let exhausted = bucket.tokens < 1.0;
        if !exhausted {
            bucket.tokens -= cost;
        }
        let missing = if bucket.tokens < 1.0 { 1.0 } else { limit } - bucket.tokens;
        Standing {
            name: self.name,
            limit: quota,
            remaining: bucket.tokens as u32,
            reset_s: (missing / rate).ceil() as u64,
            exhausted,
        }
    }
}

impl Standing {
    /// The fields of draft-ietf-httpapi-ratelimit-headers.
    pub fn apply(&self, headers: &mut HeaderMap) {
        let policy = format!("\"{}\";q={};w={}", self.name, self.limit, WINDOW.as_secs());
        let now = format!("\"{}\";r={};t={}", self.name, self.remaining, self.reset_s);
        for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, now)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }

    pub fn problem(&self) -> Problem {
        let detail = format!("more than {} requests within {WINDOW:?}", self.limit);
        Problem::new(Code::TooManyRequests, detail).retry_after(self.reset_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_empties_and_fills_again_and_others_keep_theirs() {
        let quotas = Quotas::new("key", 3);
        for remaining in [2, 1, 0] {
            assert_eq!(quotas.take(&1).await.remaining, remaining);
        }
        let standing = quotas.take(&1).await;
        assert!(standing.exhausted);
        assert_eq!(standing.reset_s, 20);
        assert!(!quotas.take(&2).await.exhausted);

        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(!quotas.take(&1).await.exhausted);
        assert!(quotas.peek(&1).await.exhausted);
    }
}
