//! An organisation: the tenant that owns rows, whose members and API keys act.
//!
//! `created` once, by the operator or by a user who owns it then. Members join, change and go, and the
//! last owner stays. Whoever is invited joins by accepting, within the life of the invitation. Keys are issued, rotated and revoked, policies added, changed and removed. An
//! `archived` one can be read and brought back, and nothing else. The secret of a key never reaches this
//! crate, only its SHA-256 hash does.

mod command;
mod error;
mod event;
mod invitations;
mod keys;
mod members;
mod policies;
mod settings;
mod state;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use command::OrganizationCommand;
pub use error::OrganizationError;
pub use event::{EVENT_TYPES, InvitationEnd, OrganizationEvent};
pub use invitations::{Invitation, Invite};
pub use keys::KeyTerms;
pub use state::{Member, Organization};

use crate::{Pii, ids::BillingContactId};

pub const TYPE: &str = "organization";

/// Claim that keeps slugs unique over all organisations.
pub const SLUG_CLAIM: &str = "organization_slug";

/// Keys that an organisation can be issued in all, revoked ones among them: every one of them stays
/// in its state.
pub const MAX_ISSUED_KEYS: usize = 10_000;

/// Policies that an organisation can have at once, and time zones that they can name between them.
pub const MAX_POLICIES: usize = 1_000;
pub const MAX_ZONES: usize = 16;

/// Extra permissions of one member.
pub const MAX_EXTRA_PERMISSIONS: usize = 64;

/// Invitations that wait for an answer at the same time.
pub const MAX_PENDING_INVITATIONS: usize = 100;

/// Purpose of the link that an invitation is mailed with.
pub const INVITATION_LINK: &str = "invitation";

/// The scope that names every action, which keys had before they had scopes.
pub const EVERYTHING: &str = "*";

/// Names of personal fields, which their values are opened under.
pub const BILLING_EMAIL: &str = "email";
pub const INVITED_EMAIL: &str = "email";
pub const BILLING_NAME: &str = "name";

/// What a member is in an organisation. Each may do what the ones before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Developer,
    Admin,
    Owner,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Developer, Self::Admin, Self::Owner];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// What an organisation shows of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub name: String,
    pub slug: String,
    pub logo_url: Option<String>,
}

/// Who is asked about invoices: a person who need not have an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingContact {
    pub contact_id: BillingContactId,
    pub email: Pii<String>,
    pub name: Option<Pii<String>>,
}

crate::aggregate!(
    Organization,
    "organization",
    OrganizationCommand,
    OrganizationEvent,
    OrganizationError
);
