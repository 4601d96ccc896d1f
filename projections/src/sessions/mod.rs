//! Sign-ins of people, and which of them are alive.
//!
//! Tables: `sessions`, by person and session, and `session_epochs`, by person: a session is alive while it
//! has not ended or expired and its epoch is that of the person. Folded from the events of sessions and
//! of users.

mod query;
mod store;

use async_trait::async_trait;
use sqlx::PgConnection;

pub use query::{SessionRow, count, is_alive, list};

use crate::{event::LogEvent, fault::Fault, projection::Projection};

pub const NAME: &str = "sessions";
pub const VERSION: i32 = 2;

pub(crate) struct Sessions;

#[async_trait]
impl Projection for Sessions {
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
        &["sessions", "session_epochs"]
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        Some(&[domain::sessions::TYPE, domain::users::TYPE])
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
