use std::fmt;

use chrono::{DateTime, Utc};

use super::{Issuer, claims::Claims};
use crate::jose::{Algorithm, Jwks, TokenError};

/// What a token must be that an issuer gave to a client of ours, to be taken in place of an own one:
/// an access token (RFC 9068) or an ID token.
#[derive(Debug, Clone)]
pub struct BearerPolicy {
    pub issuer: Issuer,
    /// One of them has to be meant; an empty list accepts no token.
    pub audiences: Vec<String>,
    pub algorithms: Vec<Algorithm>,
    pub leeway_seconds: u32,
}

/// Who was given the token.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerClaims {
    /// As the token names it.
    pub issuer: String,
    pub sub: String,
    pub amr: Vec<String>,
    pub issued_at: i64,
    pub expires_at: i64,
}

/// Without what tells who it is.
impl fmt::Debug for BearerClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerClaims").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl BearerPolicy {
    pub fn verify(
        &self,
        token: &str,
        keys: &Jwks,
        now: DateTime<Utc>,
    ) -> Result<BearerClaims, TokenError> {
        let claims = Claims::read(token, keys, &self.algorithms, &["JWT", "at+jwt"])?;
        claims.check(&self.issuer, self.leeway_seconds, now)?;
        let meant = claims.aud.into_vec();
        if !meant.iter().any(|audience| self.audiences.contains(audience)) {
            return Err(TokenError::Audience);
        }
        Ok(BearerClaims {
            issuer: claims.iss,
            sub: claims.sub,
            amr: claims.amr,
            issued_at: claims.iat.0,
            expires_at: claims.exp.0,
        })
    }
}
