use std::fmt;

use chrono::{DateTime, Utc};
use ring::{
    hmac,
    signature::{ED25519, UnparsedPublicKey},
};

use super::{RequestSignature, SignatureError, SignedRequest};

/// A key that checks signatures of one algorithm.
pub enum SignatureKey {
    HmacSha256(hmac::Key),
    Ed25519([u8; 32]),
}

/// What a signature must cover and how old it may be.
#[derive(Debug, Clone)]
pub struct SignaturePolicy {
    /// Such as `@method`, `@target-uri` and, for a request with a body, `content-digest`.
    pub required: Vec<String>,
    pub max_age_seconds: u32,
    /// Granted to clocks that differ.
    pub leeway_seconds: u32,
    pub nonce_required: bool,
}

impl SignatureKey {
    pub fn hmac_sha256(secret: &[u8]) -> Self {
        Self::HmacSha256(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::HmacSha256(_) => "hmac-sha256",
            Self::Ed25519(_) => "ed25519",
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let verified = match self {
            Self::HmacSha256(key) => hmac::verify(key, message, signature),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        };
        verified.map_err(|_| SignatureError::Signature)
    }
}

impl fmt::Debug for SignatureKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureKey({}, ..)", self.algorithm())
    }
}

impl RequestSignature {
    /// The algorithm is that of the key; one that the signature names must be the same.
    pub fn verify(
        &self,
        request: &SignedRequest<'_>,
        key: &SignatureKey,
        policy: &SignaturePolicy,
        now: DateTime<Utc>,
    ) -> Result<(), SignatureError> {
        if self.algorithm.as_ref().is_some_and(|named| named != key.algorithm()) {
            return Err(SignatureError::Algorithm);
        }
        if let Some(missing) = policy.required.iter().find(|name| !self.components.contains(name)) {
            return Err(SignatureError::NotCovered(missing.clone()));
        }
        if policy.nonce_required && self.nonce.is_none() {
            return Err(SignatureError::Missing("nonce"));
        }
        self.check_times(policy, now.timestamp())?;
        key.verify(request.base(self)?.as_bytes(), &self.signature)
    }

    fn check_times(&self, policy: &SignaturePolicy, now: i64) -> Result<(), SignatureError> {
        let leeway = i64::from(policy.leeway_seconds);
        if self.created > now.saturating_add(leeway) {
            return Err(SignatureError::NotYetValid);
        }
        let oldest = self.created.saturating_add(i64::from(policy.max_age_seconds));
        let last = self.expires.map_or(oldest, |expires| expires.min(oldest));
        if last.saturating_add(leeway) <= now { Err(SignatureError::Expired) } else { Ok(()) }
    }
}
