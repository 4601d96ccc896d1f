//! The audit log: who did what to what, from where and because of what.
//!
//! Tables: `entries`, a row for each event of the log whatever it is, by position, organisation, time,
//! actor, resource and type; `sinks`, the collectors that it is sent to; `known`, the last values of each resource's fields. Folded from every event
//! there is, one that the code cannot read too. A secret never gets into it, and personal values lie in it as they are sealed, so that they
//! end with the key of the person.

mod changes;
mod deliveries;
mod entry;
mod known;
mod query;
mod shown;
mod sinks;
mod store;

use async_trait::async_trait;
use sqlx::PgConnection;

pub use changes::{Changes, Fields, Sealing};
pub use deliveries::{Delivery, claim, delivered, deliveries, failed, forget_others, release};
pub use query::{Entry, Wanted, after, list};
pub use shown::{Shown, ShownChanges, Sight, show};
pub use sinks::{SinkRow, all_sinks, sinks};

use crate::{event::LogEvent, fault::Fault, projection::Projection};

pub const NAME: &str = "audit";
pub const VERSION: i32 = 1;

pub(crate) struct Audit;

#[async_trait]
impl Projection for Audit {
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
        &["entries", "sinks", "known"]
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        None
    }

    fn takes_unreadable(&self) -> bool {
        true
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
