//! Accounts, by person.
//!
//! Table: `users`. Personal columns are sealed, so that they end with the key of the person; whoever shows
//! them opens them first. Folded from the events of users alone.

mod query;
mod store;

use async_trait::async_trait;
use sqlx::PgConnection;

pub(crate) use query::personal;
pub use query::{Standing, UserRow, among, count, get, list};

use crate::{event::LogEvent, fault::Fault, projection::Projection};

pub const NAME: &str = "users";
pub const VERSION: i32 = 2;

pub(crate) struct Users;

#[async_trait]
impl Projection for Users {
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
        &["users"]
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        Some(&[domain::users::TYPE])
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
