use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{AccessClaims, TYPE};
use crate::jose::{Algorithm, Compact, PublicKey, Times, TokenError};

/// More than this and an expired token lives on noticeably.
pub const MAX_LEEWAY_SECONDS: u32 = 60;

/// Checks access tokens with keys at hand: some tens of microseconds each, without waiting.
#[derive(Debug, Clone)]
pub struct AccessVerifier {
    issuer: String,
    audience: String,
    leeway_seconds: u32,
    keys: HashMap<String, Known>,
}

#[derive(Debug, Clone)]
struct Known {
    key: PublicKey,
    until: Option<i64>,
}

impl AccessVerifier {
    pub(super) fn new(
        issuer: &str,
        audience: &str,
        leeway_seconds: u32,
        keys: impl Iterator<Item = (String, [u8; 32], Option<i64>)>,
    ) -> Self {
        let known = keys.map(|(kid, public, until)| {
            let key = PublicKey::ed25519(kid.clone(), &public);
            (kid, Known { key, until })
        });
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            leeway_seconds: leeway_seconds.min(MAX_LEEWAY_SECONDS),
            keys: known.collect(),
        }
    }

    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<AccessClaims, TokenError> {
        let token = Compact::parse(token)?;
        let algorithm = token.algorithm(&[Algorithm::EdDSA])?;
        if token.header.typ.as_deref() != Some(TYPE) {
            return Err(TokenError::Type);
        }
        token.verify(self.key(token.header.kid.as_deref(), now)?, algorithm)?;
        let claims: AccessClaims = token.claims()?;
        let times = Times {
            issued_at: Some(claims.iat),
            not_before: Some(claims.nbf),
            expires_at: claims.exp,
        };
        times.check(now, self.leeway_seconds)?;
        if claims.iss != self.issuer {
            return Err(TokenError::Issuer);
        }
        if claims.aud != self.audience {
            return Err(TokenError::Audience);
        }
        Ok(claims)
    }

    fn key(&self, kid: Option<&str>, now: DateTime<Utc>) -> Result<&PublicKey, TokenError> {
        let known = kid.and_then(|kid| self.keys.get(kid)).ok_or(TokenError::UnknownKey)?;
        let over = known.until.is_some_and(|until| until <= now.timestamp());
        if over { Err(TokenError::UnknownKey) } else { Ok(&known.key) }
    }
}
