use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::Value;

use super::{
    EVERYTHING, MAX_ISSUED_KEYS, MAX_POLICIES, MAX_ZONES, Organization, OrganizationEvent,
};
use crate::{
    Decision, Timestamp,
    ids::{ApiKeyId, PolicyId},
};

/// Longest name shown to people.
const MAX_NAME_CHARS: usize = 100;
const MAX_SCOPES: usize = 64;
const MAX_SCOPE_BYTES: usize = 64;
const MAX_REQUESTS_PER_MINUTE: u32 = 1_000_000;
/// Two secrets of one key are for changing over, not for keeping.
const MAX_OVERLAP: TimeDelta = TimeDelta::days(30);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationCommand {
    Create {
        name: String,
        slug: String,
        now: Timestamp,
    },
    IssueApiKey {
        key_id: ApiKeyId,
        secret_hash: String,
        terms: KeyTerms,
        now: Timestamp,
    },
    RotateApiKey {
        key_id: ApiKeyId,
        secret_hash: String,
        former_valid_until: Timestamp,
        now: Timestamp,
    },
    RevokeApiKey {
        key_id: ApiKeyId,
        now: Timestamp,
    },
    /// Whether the policy is one is known to whoever gives the command.
    AddPolicy {
        policy_id: PolicyId,
        policy: Value,
        now: Timestamp,
    },
    ChangePolicy {
        policy_id: PolicyId,
        policy: Value,
        now: Timestamp,
    },
    RemovePolicy {
        policy_id: PolicyId,
        now: Timestamp,
    },
}

/// What a key is issued for. Whether its scopes name actions, and whether whoever asks may grant
/// them, is known to whoever gives the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTerms {
    pub name: String,
    pub scopes: Vec<String>,
    pub expires_at: Option<Timestamp>,
    pub requests_per_minute: Option<u32>,
    /// Only whoever runs the installation may grant this, never an organisation itself.
    pub platform: bool,
}

impl KeyTerms {
    /// Everything that an organisation can do, for ever.
    pub fn everything(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            scopes: vec![EVERYTHING.to_owned()],
            expires_at: None,
            requests_per_minute: None,
            platform: false,
        }
    }

    fn check(&self, now: Timestamp) -> Result<(), OrganizationError> {
        check_name(&self.name)?;
        let fits = |scope: &String| {
            (1..=MAX_SCOPE_BYTES).contains(&scope.len())
                && scope.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !(1..=MAX_SCOPES).contains(&self.scopes.len()) || !self.scopes.iter().all(fits) {
            return Err(OrganizationError::Scopes);
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(OrganizationError::Expiry);
        }
        let rate = 1..=MAX_REQUESTS_PER_MINUTE;
        if self.requests_per_minute.is_some_and(|requests| !rate.contains(&requests)) {
            return Err(OrganizationError::Rate);
        }
        Ok(())
    }
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
    #[error("the API key is revoked")]
    RevokedKey,
    #[error("there is no such policy")]
    UnknownPolicy,
    #[error("an organisation has at most {MAX_POLICIES} policies")]
    TooManyPolicies,
    #[error("the policies of an organisation name at most {MAX_ZONES} time zones between them")]
    TooManyZones,
    #[error("a key has 1 to {MAX_SCOPES} scopes")]
    Scopes,
    #[error("a key expires in the future")]
    Expiry,
    #[error("a key has a limit of 1 to {MAX_REQUESTS_PER_MINUTE} requests a minute")]
    Rate,
    #[error("the former secret is valid for at most {} more days", MAX_OVERLAP.num_days())]
    Overlap,
}

pub(super) fn decide(
    state: &Organization,
    command: OrganizationCommand,
) -> Result<Decision<OrganizationEvent>, OrganizationError> {
    match command {
        OrganizationCommand::Create { name, slug, now } => {
            if state.exists {
                return Err(OrganizationError::Exists);
            }
            check_name(&name)?;
            check_slug(&slug)?;
            Ok(Decision::one(OrganizationEvent::Created { name, slug, created_at: now }))
        }
        OrganizationCommand::IssueApiKey { key_id, secret_hash, terms, now } => {
            issue(state, key_id, secret_hash, terms, now)
        }
        OrganizationCommand::RotateApiKey { key_id, secret_hash, former_valid_until, now } => {
            match state.keys.get(&key_id.to_string()) {
                None => return Err(OrganizationError::UnknownKey),
                Some(false) => return Err(OrganizationError::RevokedKey),
                Some(true) => {}
            }
            let former_valid_until = former_valid_until.max(now);
            if former_valid_until - now > MAX_OVERLAP {
                return Err(OrganizationError::Overlap);
            }
            Ok(Decision::one(OrganizationEvent::ApiKeyRotated {
                key_id,
                secret_hash,
                former_valid_until,
                rotated_at: now,
            }))
        }
        OrganizationCommand::RevokeApiKey { key_id, now } => {
            match state.keys.get(&key_id.to_string()) {
                None => Err(OrganizationError::UnknownKey),
                Some(false) => Ok(Decision::AlreadyApplied),
                Some(true) => {
                    Ok(Decision::one(OrganizationEvent::ApiKeyRevoked { key_id, revoked_at: now }))
                }
            }
        }
        OrganizationCommand::AddPolicy { policy_id, policy, now } => {
            if !state.exists {
                return Err(OrganizationError::NotFound);
            }
            if state.policies.contains_key(&policy_id.to_string()) {
                return Ok(Decision::AlreadyApplied);
            }
            if state.policies.len() >= MAX_POLICIES {
                return Err(OrganizationError::TooManyPolicies);
            }
            check_zones(state, policy_id, &policy)?;
            Ok(Decision::one(OrganizationEvent::PolicyAdded { policy_id, policy, added_at: now }))
        }
        OrganizationCommand::ChangePolicy { policy_id, policy, now } => {
            check_policy(state, policy_id)?;
            check_zones(state, policy_id, &policy)?;
            let changed_at = now;
            Ok(Decision::one(OrganizationEvent::PolicyChanged { policy_id, policy, changed_at }))
        }
        OrganizationCommand::RemovePolicy { policy_id, now } => {
            check_policy(state, policy_id)?;
            Ok(Decision::one(OrganizationEvent::PolicyRemoved { policy_id, removed_at: now }))
        }
    }
}

fn issue(
    state: &Organization,
    key_id: ApiKeyId,
    secret_hash: String,
    terms: KeyTerms,
    now: Timestamp,
) -> Result<Decision<OrganizationEvent>, OrganizationError> {
    if !state.exists {
        return Err(OrganizationError::NotFound);
    }
    if state.keys.contains_key(&key_id.to_string()) {
        return Ok(Decision::AlreadyApplied);
    }
    if state.keys.len() >= MAX_ISSUED_KEYS {
        return Err(OrganizationError::TooManyKeys);
    }
    terms.check(now)?;
    let KeyTerms { name, scopes, expires_at, requests_per_minute, platform } = terms;
    Ok(Decision::one(OrganizationEvent::ApiKeyIssued {
        key_id,
        name,
        secret_hash,
        issued_at: now,
        platform,
        scopes,
        expires_at,
        requests_per_minute,
    }))
}

fn check_policy(state: &Organization, id: PolicyId) -> Result<(), OrganizationError> {
    let known = state.policies.contains_key(&id.to_string());
    known.then_some(()).ok_or(OrganizationError::UnknownPolicy)
}

/// Every decision looks at a clock for each zone.
fn check_zones(
    state: &Organization,
    id: PolicyId,
    policy: &Value,
) -> Result<(), OrganizationError> {
    let id = id.to_string();
    let others = state.policies.iter().filter(|(other, _)| **other != id);
    let others = others.filter_map(|(_, zone)| zone.as_deref());
    let zones: BTreeSet<_> = others.chain(zone(policy)).collect();
    if zones.len() > MAX_ZONES { Err(OrganizationError::TooManyZones) } else { Ok(()) }
}

/// The time zone that a policy names.
pub(super) fn zone(policy: &Value) -> Option<&str> {
    policy.pointer("/conditions/time/zone").and_then(Value::as_str)
}

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
