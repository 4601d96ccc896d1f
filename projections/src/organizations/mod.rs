//! Organisations, their members, API keys, policies and open invitations.
//!
//! Tables: `organizations`, by organisation, `members`, by organisation and by user, `api_keys`, by key
//! and by the hash of its secret, `policies`, by organisation, `invitations`, by organisation and by
//! address, and `suspended_users`.
//! Folded from the events of organisations, and of users for their suspension. When a key was last used is
//! no event; it lies in a table beside the log, `api_key_uses`. A rebuild reads every event of the log once.

mod invitations;
mod invitations_store;
mod keys;
mod keys_store;
mod members;
mod members_store;
mod nonces;
mod policies;
mod policies_store;
mod query;
mod settings_store;
mod store;
mod suspended;
mod uses;

use async_trait::async_trait;
use sqlx::PgConnection;

pub use invitations::{InvitationRow, invitation, invitations, invited, with_expired_invitations};
pub use keys::{
    ApiKeyRow, FoundKey, Hold, is_platform_key, key, key_by_secret_hash, keys, keys_of,
};
pub use members::{
    MemberRow, Membership, Standing, member, members, memberships, policies_position,
};
pub use nonces::{forget_nonces, take_nonce};
pub use policies::{PolicyRow, all_policies, policies, policy};
pub use query::{
    BillingContactRow, OrganizationRow, Search, Standing as OrganizationStanding, billing_contact,
    count, get, list, search,
};
pub(crate) use query::{from_halves, halves};
pub use suspended::{keys_of_all, suspended_organizations, suspended_users};
pub use uses::{KeyUse, record_uses};

use crate::{event::LogEvent, fault::Fault, projection::Projection};

pub const NAME: &str = "organizations";
pub const VERSION: i32 = 3;

pub(crate) struct Organizations;

#[async_trait]
impl Projection for Organizations {
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
        &["organizations", "members", "api_keys", "policies", "invitations", "suspended_users"]
    }

    fn aggregates(&self) -> Option<&'static [&'static str]> {
        Some(&[domain::organizations::TYPE, domain::users::TYPE])
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
