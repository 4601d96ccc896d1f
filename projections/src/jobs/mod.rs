//! The queue: every job that has not ended, whatever aggregate carries it.
//!
//! Table: `jobs`, by job id. Folded from what each event means to the queue
//! (`domain::Event::job_change`). A row goes when its job ends, so the table is as large as the
//! work that is left. A rebuild reads every event of the log once.

mod query;
mod row;
mod store;
pub mod system;

use async_trait::async_trait;
use sqlx::PgConnection;

pub use query::{Place, Whose, get, place, waiting};
pub use row::{JobRow, JobStatus};

use crate::{event::LogEvent, fault::Fault, projection::Projection};

pub const NAME: &str = "jobs";
pub const VERSION: i32 = 3;

pub(crate) struct Jobs;

#[async_trait]
impl Projection for Jobs {
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
        &["jobs"]
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        None
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
