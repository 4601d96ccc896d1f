//! Addresses that the front door turns away, by block.
//!
//! Table: `address_blocks`. They are the installation's, so that no query takes an organisation. Folded
//! from the events of blocks alone.

mod query;
mod store;

use async_trait::async_trait;
use sqlx::PgConnection;

pub use query::{AddressBlockRow, get, in_force, list};

use crate::{event::LogEvent, fault::Fault, projection::Projection};

pub const NAME: &str = "address_blocks";
pub const VERSION: i32 = 1;

pub(crate) struct AddressBlocks;

#[async_trait]
impl Projection for AddressBlocks {
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
        &["address_blocks"]
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        Some(&[domain::address_blocks::TYPE])
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
