use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EVERYTHING;
use crate::{
    Timestamp,
    event::EventType,
    ids::{ApiKeyId, PolicyId},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OrganizationEvent {
    Created {
        name: String,
        slug: String,
        created_at: Timestamp,
    },
    ApiKeyIssued {
        key_id: ApiKeyId,
        name: String,
        /// SHA-256 of the secret, in hexadecimal.
        secret_hash: String,
        issued_at: Timestamp,
        /// Whether the key may do what concerns the whole installation.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        platform: bool,
        /// Actions that the key may ask for, by name: `scans:read`, `scans:*`, `*`.
        #[serde(default = "everything", skip_serializing_if = "is_everything")]
        scopes: Vec<String>,
        /// When it ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
        /// A limit of its own, in place of the installation's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requests_per_minute: Option<u32>,
    },
    ApiKeyRotated {
        key_id: ApiKeyId,
        /// SHA-256 of the new secret, in hexadecimal.
        secret_hash: String,
        /// Until when the secret before it is taken beside it. Older ones end at once.
        former_valid_until: Timestamp,
        rotated_at: Timestamp,
    },
    ApiKeyRevoked {
        key_id: ApiKeyId,
        revoked_at: Timestamp,
    },
    PolicyAdded {
        policy_id: PolicyId,
        /// As it was written.
        policy: Value,
        added_at: Timestamp,
    },
    PolicyChanged {
        policy_id: PolicyId,
        /// As it is written now, all of it.
        policy: Value,
        changed_at: Timestamp,
    },
    PolicyRemoved {
        policy_id: PolicyId,
        removed_at: Timestamp,
    },
}

pub const EVENT_TYPES: &[EventType] = &[
    EventType { name: "organization.created", version: 1, about: "An organisation was made." },
    EventType {
        name: "organization.api_key_issued",
        version: 1,
        about: "An API key was issued; the event holds only its hash.",
    },
    EventType {
        name: "organization.api_key_rotated",
        version: 1,
        about: "An API key has a new secret; the one before ends later, or has ended.",
    },
    EventType {
        name: "organization.api_key_revoked",
        version: 1,
        about: "An API key was revoked and is refused from now on.",
    },
    EventType {
        name: "organization.policy_added",
        version: 1,
        about: "A policy holds from now on, beside those of the house.",
    },
    EventType {
        name: "organization.policy_changed",
        version: 1,
        about: "A policy says something else from now on.",
    },
    EventType {
        name: "organization.policy_removed",
        version: 1,
        about: "A policy holds no longer.",
    },
];

impl cqrs_es::DomainEvent for OrganizationEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Created { .. } => "organization.created",
            Self::ApiKeyIssued { .. } => "organization.api_key_issued",
            Self::ApiKeyRotated { .. } => "organization.api_key_rotated",
            Self::ApiKeyRevoked { .. } => "organization.api_key_revoked",
            Self::PolicyAdded { .. } => "organization.policy_added",
            Self::PolicyChanged { .. } => "organization.policy_changed",
            Self::PolicyRemoved { .. } => "organization.policy_removed",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

fn everything() -> Vec<String> {
    vec![EVERYTHING.to_owned()]
}

fn is_everything(scopes: &[String]) -> bool {
    scopes == [EVERYTHING]
}
