//! Scans and their findings.
//!
//! Tables: `scans`, by scan id, and `findings`, by scan, severity and number. Folded from the
//! events of scans alone. A scan is one row per scan that was ever asked for; its findings are
//! those of its newest attempt. A rebuild reads every event of the log once.

mod as_of;
mod findings;
mod fold;
mod query;
mod row;
mod store;

use async_trait::async_trait;
use sqlx::PgConnection;

pub use as_of::{AsOf, AsOfError, as_of};
pub use findings::{FindingFilter, findings, stream_findings};
pub use query::{ScanFilter, get, list};
pub use row::{EngineProgress, EngineStatus, FindingRow, ScanRow};

use crate::{event::LogEvent, fault::Fault, projection::Projection};

pub const NAME: &str = "scans";
pub const VERSION: i32 = 1;

pub(crate) struct Scans;

#[async_trait]
impl Projection for Scans {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        VERSION
    }

    fn schema_sql(&self) -> &'static str {
        include_str!("schema.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["scans", "findings"]
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        Some(&[domain::scans::TYPE])
    }

    async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        events: &[&LogEvent],
    ) -> Result<(), Fault> {
        store::apply(connection, schema, events).await
    }
}
