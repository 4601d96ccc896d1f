use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::{Issuer, claims::Claims};
use crate::jose::{Algorithm, Jwks, TokenError};

/// What an ID token of one issuer for one client must be.
#[derive(Debug, Clone)]
pub struct IdTokenPolicy {
    pub issuer: Issuer,
    pub client_id: String,
    /// Those that the issuer is known to use; an empty list accepts none.
    pub algorithms: Vec<Algorithm>,
    pub leeway_seconds: u32,
    /// How long ago the person may have logged in at the issuer; asked for with `max_age`.
    pub max_login_age: Option<TimeDelta>,
}

/// What an ID token says, once it is verified.
#[derive(Clone, PartialEq)]
pub struct IdClaims {
    /// As the token names it.
    pub issuer: String,
    /// The person at this issuer. Addresses change hands, this does not.
    pub sub: String,
    pub email: Option<String>,
    /// Only then does the address say who it is.
    pub email_verified: bool,
    pub name: Option<String>,
    pub auth_time: Option<i64>,
    pub amr: Vec<String>,
    pub issued_at: i64,
    pub expires_at: i64,
    /// Every other claim, such as the groups of a company's directory.
    pub others: Map<String, Value>,
}

/// Without what tells who it is.
impl fmt::Debug for IdClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdClaims").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl IdTokenPolicy {
    /// Section 3.1.3.7 of the standard. `nonce` is that of the login that was begun here; `None` for a
    /// token that a client got on its own.
    pub fn verify(
        &self,
        token: &str,
        keys: &Jwks,
        nonce: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<IdClaims, TokenError> {
        let claims = Claims::read(token, keys, &self.algorithms, &["JWT"])?;
        claims.check(&self.issuer, self.leeway_seconds, now)?;
        let audience = claims.aud.into_vec();
        self.check_audience(&audience, claims.azp.as_deref())?;
        check_nonce(nonce, claims.nonce.as_deref())?;
        let auth_time = claims.auth_time.map(|time| time.0);
        self.check_login_age(auth_time, now)?;
        let verified = claims.email_verified;
        Ok(IdClaims {
            issuer: claims.iss,
            sub: claims.sub,
            email: claims.email,
            email_verified: verified.is_some_and(|it| it == true || it == "true"),
            name: claims.name,
            auth_time,
            amr: claims.amr,
            issued_at: claims.iat.0,
            expires_at: claims.exp.0,
            others: claims.others,
        })
    }

    fn check_audience(&self, audience: &[String], azp: Option<&str>) -> Result<(), TokenError> {
        let meant = audience.contains(&self.client_id);
        let party = match azp {
            Some(party) => party == self.client_id,
            None => audience.len() == 1,
        };
        if meant && party { Ok(()) } else { Err(TokenError::Audience) }
    }

    fn check_login_age(&self, at: Option<i64>, now: DateTime<Utc>) -> Result<(), TokenError> {
        let Some(longest) = self.max_login_age else { return Ok(()) };
        let oldest = now - longest - TimeDelta::seconds(i64::from(self.leeway_seconds));
        let recent = at.is_some_and(|at| at >= oldest.timestamp());
        if recent { Ok(()) } else { Err(TokenError::LoginTooOld) }
    }
}

fn check_nonce(wanted: Option<&str>, given: Option<&str>) -> Result<(), TokenError> {
    let Some(wanted) = wanted else { return Ok(()) };
    let same = given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(wanted.as_bytes())));
    if same { Ok(()) } else { Err(TokenError::Nonce) }
}
