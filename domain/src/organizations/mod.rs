//! An organisation: the tenant that owns rows and whose API keys act.
//!
//! `created` once; keys are issued, rotated and revoked, policies added, changed and removed. The secret of a key never reaches this
//! crate, only its SHA-256 hash does.

mod command;
mod event;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use command::{KeyTerms, OrganizationCommand, OrganizationError};
pub use event::{EVENT_TYPES, OrganizationEvent};

use crate::{ClaimChange, Decide, Decision};

pub const TYPE: &str = "organization";

/// Claim that keeps slugs unique over all organisations.
pub const SLUG_CLAIM: &str = "organization_slug";

/// Keys that an organisation can be issued in all, revoked ones among them: every one of them stays
/// in its state.
pub const MAX_ISSUED_KEYS: usize = 10_000;

/// Policies that an organisation can have at once, and time zones that they can name between them.
pub const MAX_POLICIES: usize = 1_000;
pub const MAX_ZONES: usize = 16;

/// The scope that names every action, which keys had before they had scopes.
pub const EVERYTHING: &str = "*";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    pub exists: bool,
    /// Whether each issued key is still valid.
    pub keys: BTreeMap<String, bool>,
    /// The time zone that each policy names.
    pub policies: BTreeMap<String, Option<String>>,
}

impl Decide for Organization {
    const STATE_VERSION: u32 = 2;

    fn decide(
        &self,
        command: OrganizationCommand,
    ) -> Result<Decision<OrganizationEvent>, OrganizationError> {
        command::decide(self, command)
    }

    fn evolve(&mut self, event: &OrganizationEvent) {
        match event {
            OrganizationEvent::Created { .. } => self.exists = true,
            OrganizationEvent::ApiKeyIssued { key_id, .. } => {
                self.keys.insert(key_id.to_string(), true);
            }
            OrganizationEvent::ApiKeyRotated { .. } => {}
            OrganizationEvent::ApiKeyRevoked { key_id, .. } => {
                self.keys.insert(key_id.to_string(), false);
            }
            OrganizationEvent::PolicyAdded { policy_id, policy, .. }
            | OrganizationEvent::PolicyChanged { policy_id, policy, .. } => {
                let zone = command::zone(policy).map(str::to_owned);
                self.policies.insert(policy_id.to_string(), zone);
            }
            OrganizationEvent::PolicyRemoved { policy_id, .. } => {
                self.policies.remove(&policy_id.to_string());
            }
        }
    }

    fn claims(event: &OrganizationEvent) -> Vec<ClaimChange> {
        match event {
            OrganizationEvent::Created { slug, .. } => {
                vec![ClaimChange::Take { kind: SLUG_CLAIM, key: slug.clone() }]
            }
            OrganizationEvent::ApiKeyIssued { .. }
            | OrganizationEvent::ApiKeyRotated { .. }
            | OrganizationEvent::ApiKeyRevoked { .. }
            | OrganizationEvent::PolicyAdded { .. }
            | OrganizationEvent::PolicyChanged { .. }
            | OrganizationEvent::PolicyRemoved { .. } => Vec::new(),
        }
    }
}

crate::aggregate!(
    Organization,
    "organization",
    OrganizationCommand,
    OrganizationEvent,
    OrganizationError
);
