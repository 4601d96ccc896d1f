use std::{any::Any, sync::Arc};

use domain::Decide;
use quick_cache::sync::Cache;

use crate::{append::Standing, load::Loaded};

/// Aggregates kept in memory. Their states are small: what grows lives in projections.
const AGGREGATES: usize = 10_000;

/// Folded aggregates by type and id. An entry may be behind the log: the expected version of the
/// append finds that out. It may also be ahead of the log, as its fate tells.
pub(crate) struct AggregateCache {
    entries: Cache<(&'static str, String), Arc<dyn Any + Send + Sync>>,
}

impl AggregateCache {
    pub fn new() -> Self {
        Self { entries: Cache::new(AGGREGATES) }
    }

    pub fn get<A: Decide>(&self, id: &str) -> Option<Arc<Loaded<A>>> {
        self.entries.get(&(A::TYPE, id.to_owned()))?.downcast().ok()
    }

    pub fn put<A: Decide>(&self, id: &str, loaded: Arc<Loaded<A>>) {
        self.entries.insert((A::TYPE, id.to_owned()), loaded);
    }

    /// Unless it knows a newer one by now.
    pub fn put_newer<A: Decide>(&self, id: &str, loaded: Arc<Loaded<A>>) {
        let newer = |known: Arc<Loaded<A>>| {
            known.version >= loaded.version && known.fate.standing() != Standing::Refused
        };
        if !self.get::<A>(id).is_some_and(newer) {
            self.put(id, loaded);
        }
    }

    pub fn remove(&self, aggregate_type: &'static str, id: &str) {
        self.entries.remove(&(aggregate_type, id.to_owned()));
    }
}
