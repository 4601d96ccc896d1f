//! An organisation: the tenant that owns rows and whose API keys act.
//!
//! `created` once; keys are issued and revoked. The secret of a key never reaches this crate, only
//! its SHA-256 hash does.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClaimChange, Decide, Decision, Timestamp, event::EventType, ids::ApiKeyId};

pub const TYPE: &str = "organization";

/// Claim that keeps slugs unique over all organisations.
pub const SLUG_CLAIM: &str = "organization_slug";

/// Keys that an organisation can be issued in all, revoked ones among them: every one of them stays
/// in its state.
pub const MAX_ISSUED_KEYS: usize = 10_000;

/// Longest name shown to people.
const MAX_NAME_CHARS: usize = 100;

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
    },
    ApiKeyRevoked {
        key_id: ApiKeyId,
        revoked_at: Timestamp,
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
        name: "organization.api_key_revoked",
        version: 1,
        about: "An API key was revoked and is refused from now on.",
    },
];

impl cqrs_es::DomainEvent for OrganizationEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Created { .. } => "organization.created",
            Self::ApiKeyIssued { .. } => "organization.api_key_issued",
            Self::ApiKeyRevoked { .. } => "organization.api_key_revoked",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationCommand {
    Create {
        name: String,
        slug: String,
        now: Timestamp,
    },
    IssueApiKey {
        key_id: ApiKeyId,
        name: String,
        secret_hash: String,
        /// Only whoever runs the installation may grant this, never an organisation itself.
        platform: bool,
        now: Timestamp,
    },
    RevokeApiKey {
        key_id: ApiKeyId,
        now: Timestamp,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationError {
    #[error("there is no such organisation")]
    NotFound,
    #[error("an organisation with this id exists already")]
    Exists,
    #[error("a name has 1 to {MAX_NAME_CHARS} characters, none of them a control character")]
    Name,
    #[error("a slug has 1 to 63 characters: small letters, digits and inner hyphens")]
    Slug,
    #[error("an organisation is issued at most {MAX_ISSUED_KEYS} API keys in all")]
    TooManyKeys,
    #[error("there is no such API key")]
    UnknownKey,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    pub exists: bool,
    /// Whether each issued key is still valid.
    pub keys: BTreeMap<String, bool>,
}

impl Decide for Organization {
    const STATE_VERSION: u32 = 1;

    fn decide(
        &self,
        command: OrganizationCommand,
    ) -> Result<Decision<OrganizationEvent>, OrganizationError> {
        match command {
            OrganizationCommand::Create { name, slug, now } => {
                if self.exists {
                    return Err(OrganizationError::Exists);
                }
                check_name(&name)?;
                check_slug(&slug)?;
                Ok(Decision::one(OrganizationEvent::Created { name, slug, created_at: now }))
            }
            OrganizationCommand::IssueApiKey { key_id, name, secret_hash, platform, now } => {
                if !self.exists {
                    return Err(OrganizationError::NotFound);
                }
                if self.keys.contains_key(&key_id.to_string()) {
                    return Ok(Decision::AlreadyApplied);
                }
                if self.keys.len() >= MAX_ISSUED_KEYS {
                    return Err(OrganizationError::TooManyKeys);
                }
                check_name(&name)?;
                Ok(Decision::one(OrganizationEvent::ApiKeyIssued {
                    key_id,
                    name,
                    secret_hash,
                    issued_at: now,
                    platform,
                }))
            }
            OrganizationCommand::RevokeApiKey { key_id, now } => {
                match self.keys.get(&key_id.to_string()) {
                    None => Err(OrganizationError::UnknownKey),
                    Some(false) => Ok(Decision::AlreadyApplied),
                    Some(true) => Ok(Decision::one(OrganizationEvent::ApiKeyRevoked {
                        key_id,
                        revoked_at: now,
                    })),
                }
            }
        }
    }

    fn evolve(&mut self, event: &OrganizationEvent) {
        match event {
            OrganizationEvent::Created { .. } => self.exists = true,
            OrganizationEvent::ApiKeyIssued { key_id, .. } => {
                self.keys.insert(key_id.to_string(), true);
            }
            OrganizationEvent::ApiKeyRevoked { key_id, .. } => {
                self.keys.insert(key_id.to_string(), false);
            }
        }
    }

    fn claims(event: &OrganizationEvent) -> Vec<ClaimChange> {
        match event {
            OrganizationEvent::Created { slug, .. } => {
                vec![ClaimChange::Take { kind: SLUG_CLAIM, key: slug.clone() }]
            }
            OrganizationEvent::ApiKeyIssued { .. } | OrganizationEvent::ApiKeyRevoked { .. } => {
                Vec::new()
            }
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

fn check_name(name: &str) -> Result<(), OrganizationError> {
    let chars = name.chars().count();
    let fits = (1..=MAX_NAME_CHARS).contains(&chars)
        && !name.chars().any(char::is_control)
        && !name.trim().is_empty();
    if fits { Ok(()) } else { Err(OrganizationError::Name) }
}

/// The form of a DNS label (RFC 1123), so that a slug can become a host name.
fn check_slug(slug: &str) -> Result<(), OrganizationError> {
    let fits = (1..=63).contains(&slug.len())
        && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !slug.starts_with('-')
        && !slug.ends_with('-');
    if fits { Ok(()) } else { Err(OrganizationError::Slug) }
}
