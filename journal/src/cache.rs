use std::{any::Any, sync::Arc};

use domain::Decide;
use quick_cache::sync::Cache;

use crate::load::Loaded;

/// Aggregates kept in memory. Their states are small: what grows lives in projections.
const AGGREGATES: usize = 10_000;

/// Folded aggregates by type and id. An entry may be behind the log: the expected version of the
/// append finds that out.
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

    pub fn remove(&self, aggregate_type: &'static str, id: &str) {
        self.entries.remove(&(aggregate_type, id.to_owned()));
    }
}
