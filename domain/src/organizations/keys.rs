use chrono::TimeDelta;

use super::{
    EVERYTHING, MAX_ISSUED_KEYS, Organization, OrganizationError, OrganizationEvent,
    command::Decided, settings::check_name,
};
use crate::{
    Decision, Timestamp,
    ids::{ApiKeyId, UserId},
};

pub(super) const MAX_SCOPES: usize = 64;
const MAX_SCOPE_BYTES: usize = 64;
pub(super) const MAX_REQUESTS_PER_MINUTE: u32 = 1_000_000;
/// 32 bytes in base64url.
const SIGNING_KEY_CHARS: usize = 43;
/// Two secrets of one key are for changing over, not for keeping.
pub(super) const MAX_OVERLAP: TimeDelta = TimeDelta::days(30);

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
    /// The member in whose place the key acts; without one it acts in the owner's.
    pub issuer: Option<UserId>,
    /// Of Ed25519, in base64url: requests by the key must be signed.
    pub signing_key: Option<String>,
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
            issuer: None,
            signing_key: None,
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
        if self.signing_key.as_deref().is_some_and(|key| !is_signing_key(key)) {
            return Err(OrganizationError::SigningKey);
        }
        Ok(())
    }
}

fn is_signing_key(text: &str) -> bool {
    text.len() == SIGNING_KEY_CHARS
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

pub(super) fn issue(
    state: &Organization,
    key_id: ApiKeyId,
    secret_hash: String,
    terms: KeyTerms,
    now: Timestamp,
) -> Decided {
    if state.keys.contains_key(&key_id.to_string()) {
        return Ok(Decision::AlreadyApplied);
    }
    if state.keys.len() >= MAX_ISSUED_KEYS {
        return Err(OrganizationError::TooManyKeys);
    }
    terms.check(now)?;
    let KeyTerms { name, scopes, expires_at, requests_per_minute, platform, issuer, signing_key } =
        terms;
    if issuer.is_some_and(|issuer| state.member(issuer).is_none()) {
        return Err(OrganizationError::UnknownMember);
    }
    Ok(Decision::one(OrganizationEvent::ApiKeyIssued {
        key_id,
        name,
        secret_hash,
        issued_at: now,
        platform,
        scopes,
        expires_at,
        requests_per_minute,
        issuer,
        signing_key,
    }))
}

pub(super) fn rotate(
    state: &Organization,
    key_id: ApiKeyId,
    secret_hash: String,
    former_valid_until: Timestamp,
    now: Timestamp,
) -> Decided {
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

pub(super) fn revoke(state: &Organization, key_id: ApiKeyId, now: Timestamp) -> Decided {
    match state.keys.get(&key_id.to_string()) {
        None => Err(OrganizationError::UnknownKey),
        Some(false) => Ok(Decision::AlreadyApplied),
        Some(true) => {
            Ok(Decision::one(OrganizationEvent::ApiKeyRevoked { key_id, revoked_at: now }))
        }
    }
}

pub(super) fn leaked(
    state: &Organization,
    key_id: ApiKeyId,
    found_at: Option<String>,
    now: Timestamp,
) -> Decided {
    let revoked = match revoke(state, key_id, now)? {
        Decision::Accept(revoked) => revoked,
        Decision::AlreadyApplied => return Ok(Decision::AlreadyApplied),
    };
    let leaked = OrganizationEvent::ApiKeyLeaked { key_id, found_at, reported_at: now };
    Ok(Decision::Accept([leaked].into_iter().chain(revoked).collect()))
}
