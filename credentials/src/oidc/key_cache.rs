use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::jose::Jwks;

/// How long an issuer's keys are believed.
#[derive(Debug, Clone)]
pub struct KeyCacheOptions {
    /// Older keys are fetched again in passing.
    pub fresh: TimeDelta,
    /// Older keys are used no more, even if no others can be had: one may have been withdrawn.
    pub usable: TimeDelta,
    /// The least time between two fetches. Tokens with made-up key ids cause no more than that.
    pub pause: TimeDelta,
}

impl Default for KeyCacheOptions {
    fn default() -> Self {
        Self {
            fresh: TimeDelta::minutes(15),
            usable: TimeDelta::hours(24),
            pause: TimeDelta::seconds(30),
        }
    }
}

/// The keys of one issuer. It fetches nothing: it says when to.
#[derive(Debug, Clone)]
pub struct KeyCache {
    options: KeyCacheOptions,
    keys: Arc<Jwks>,
    fetched_at: Option<DateTime<Utc>>,
    asked_at: Option<DateTime<Utc>>,
}

/// Whether the keys should be fetched for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// The token can be checked already.
    Soon,
    /// Before the token is checked.
    Now,
}

impl KeyCache {
    pub fn new(options: KeyCacheOptions) -> Self {
        Self { options, keys: Arc::default(), fetched_at: None, asked_at: None }
    }

    /// What a token with this key id needs.
    pub fn need(&self, kid: Option<&str>, now: DateTime<Utc>) -> Need {
        if self.asked_at.is_some_and(|at| now - at < self.options.pause) {
            return Need::Nothing;
        }
        match self.age(now) {
            Some(age) if age < self.options.usable && self.keys.knows(kid) => {
                if age < self.options.fresh { Need::Nothing } else { Need::Soon }
            }
            Some(_) | None => Need::Now,
        }
    }

    /// Notes that a fetch begins, whatever becomes of it.
    pub fn asked(&mut self, now: DateTime<Utc>) {
        self.asked_at = Some(now);
    }

    pub fn store(&mut self, keys: Jwks, now: DateTime<Utc>) {
        self.keys = Arc::new(keys);
        self.fetched_at = Some(now);
    }

    /// `None` when there are none, or only ones that are too old.
    pub fn keys(&self, now: DateTime<Utc>) -> Option<Arc<Jwks>> {
        let usable = self.age(now).is_some_and(|age| age < self.options.usable);
        usable.then(|| Arc::clone(&self.keys))
    }

    fn age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.fetched_at.map(|at| now - at)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jose::testing;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn filled() -> KeyCache {
        let mut cache = KeyCache::new(KeyCacheOptions::default());
        let document = json!({ "keys": [testing::ed25519_jwk("a")] }).to_string();
        cache.asked(at(0));
        cache.store(Jwks::parse(document.as_bytes()).unwrap(), at(0));
        cache
    }

    #[test]
    fn the_first_token_fetches_the_keys() {
        let cache = KeyCache::new(KeyCacheOptions::default());
        assert_eq!(cache.need(Some("a"), at(0)), Need::Now);
        assert!(cache.keys(at(0)).is_none());
    }

    #[test]
    fn known_keys_are_fetched_again_in_passing_when_they_get_old() {
        let cache = filled();
        assert_eq!(cache.need(Some("a"), at(899)), Need::Nothing);
        assert_eq!(cache.need(Some("a"), at(900)), Need::Soon);
        assert!(cache.keys(at(900)).is_some());
    }

    #[test]
    fn made_up_key_ids_cause_one_fetch_per_pause() {
        let mut cache = filled();
        assert_eq!(cache.need(Some("made up"), at(29)), Need::Nothing);
        assert_eq!(cache.need(Some("made up"), at(30)), Need::Now);
        cache.asked(at(30));
        assert_eq!(cache.need(Some("other"), at(59)), Need::Nothing);
        assert_eq!(cache.need(Some("other"), at(60)), Need::Now);
    }

    #[test]
    fn keys_that_could_not_be_fetched_for_a_day_are_used_no_more() {
        let cache = filled();
        assert!(cache.keys(at(86_399)).is_some());
        assert!(cache.keys(at(86_400)).is_none());
        assert_eq!(cache.need(Some("a"), at(86_400)), Need::Now);
    }
}
