//! What a read model is to the runner.

use async_trait::async_trait;
use sqlx::PgConnection;

use crate::{event::LogEvent, fault::Fault};

/// One read model. It folds events into its own tables and does nothing else: the same event may
/// be applied again, in another build, at any later time.
#[async_trait]
pub(crate) trait Projection: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    /// Raised whenever the tables or the fold change; the new version is built beside the old one.
    fn version(&self) -> i32;

    /// Creates the tables; names are unqualified.
    fn schema_sql(&self) -> &'static str;

    /// Every table of it, to compare builds.
    fn tables(&self) -> &'static [&'static str];

    /// The aggregate types whose events it folds; `None` for all.
    fn aggregates(&self) -> Option<&'static [&'static str]>;

    /// Whether an event that this code cannot read belongs into it all the same.
    fn takes_unreadable(&self) -> bool {
        false
    }

    /// Folds events, in order, into the tables of `schema`, in a few statements for all of them.
    async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        events: &[&LogEvent],
    ) -> Result<(), Fault>;

    fn folds(&self, event: &LogEvent) -> bool {
        self.aggregates()
            .is_none_or(|types| types.contains(&event.recorded.aggregate_type.as_str()))
    }
}
