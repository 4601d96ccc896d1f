//! When keys were last used: remembered here, and noted beside the log in batches.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{Timestamp, ids::ApiKeyId};
use projections::organizations::{KeyUse, record_uses};
use tokio_util::sync::CancellationToken;

use crate::state::App;

/// How often they are noted, with one statement for whatever was used meanwhile.
const PAUSE: Duration = Duration::from_secs(2);
/// Keys remembered between two statements; of more than that the use is not seen.
const MAX_KEYS: usize = 10_000;

#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<ApiKeyId, Timestamp>>);

impl Uses {
    pub fn remember(&self, key: ApiKeyId, at: Timestamp) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < MAX_KEYS || uses.contains_key(&key) {
            let last = uses.entry(key).or_insert(at);
            *last = at.max(*last);
        }
    }

    fn drain(&self) -> Vec<KeyUse> {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        uses.into_iter().map(|(key, at)| KeyUse { key, at }).collect()
    }
}

/// Notes what was used until told to stop, and then what is left.
pub(crate) async fn note_uses(app: App, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
        note(&app).await;
    }
    note(&app).await;
}

async fn note(app: &App) {
    let uses = app.uses.drain();
    if uses.is_empty() {
        return;
    }
    if let Err(error) = record_uses(app.journal.pool(), &uses).await {
        tracing::warn!(%error, keys = uses.len(), "the last uses of keys are noted later");
        uses.iter().for_each(|used| app.uses.remember(used.key, used.at));
    }
}
