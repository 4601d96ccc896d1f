use std::{sync::Arc, time::Duration};

use projections::organizations;
use quick_cache::sync::Cache;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::ValidKey;
use crate::{keys, problem::Problem, state::App};

/// Keys remembered. One that falls out is looked up again.
const MAX_KEYS: usize = 10_000;
/// A revoked key is refused soon after this time at the latest: within a second, with the time that the
/// view takes.
const FRESH: Duration = Duration::from_millis(500);

/// Keys that were valid a moment ago, by the hash of their secret.
pub(crate) struct KeyCache {
    entries: Cache<[u8; 32], Entry>,
}

#[derive(Clone)]
struct Entry {
    hash: [u8; 32],
    key: Arc<ValidKey>,
    looked_up: Instant,
}

impl KeyCache {
    pub fn new() -> Self {
        Self { entries: Cache::new(MAX_KEYS) }
    }

    /// This replica looks again at once.
    pub fn forget(&self, is_meant: impl Fn(&ValidKey) -> bool) {
        self.entries.retain(|_, entry| !is_meant(&entry.key));
    }

    /// Whether the key was valid when it was last looked up, however long ago.
    pub fn knows(&self, hash: &[u8; 32]) -> bool {
        self.entries.get(hash).is_some()
    }

    /// The key with this hash, if it is not revoked.
    pub async fn get(&self, app: &App, hash: [u8; 32]) -> Result<Option<Arc<ValidKey>>, Problem> {
        if let Some(entry) = self.entries.get(&hash)
            && entry.looked_up.elapsed() < FRESH
            && bool::from(entry.hash.ct_eq(&hash))
        {
            return Ok(Some(entry.key));
        }
        let looked_up = Instant::now();
        let view = app.views.open(organizations::NAME, None, Duration::ZERO).await?;
        let found = organizations::key_by_secret_hash(&view, &keys::hex(&hash)).await?;
        let Some(key) = found.and_then(|found| ValidKey::of(found, hash)).map(Arc::new) else {
            self.entries.remove(&hash);
            return Ok(None);
        };
        self.entries.insert(hash, Entry { hash, key: Arc::clone(&key), looked_up });
        Ok(Some(key))
    }
}
