use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Issuer;
use crate::jose::{Algorithm, Compact, Jwks, NumericDate, OneOrMany, Times, TokenError};

/// What an issuer says in a token.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub iss: String,
    /// The tenant that the issuer signs for, where it does for many.
    pub tid: Option<String>,
    pub sub: String,
    pub aud: OneOrMany,
    pub azp: Option<String>,
    pub exp: NumericDate,
    pub iat: NumericDate,
    pub nbf: Option<NumericDate>,
    pub nonce: Option<String>,
    pub auth_time: Option<NumericDate>,
    pub email: Option<String>,
    /// Some issuers write `"true"`.
    pub email_verified: Option<Value>,
    pub name: Option<String>,
    #[serde(default)]
    pub amr: Vec<String>,
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl Claims {
    /// Those of a token of one of these types, if one of the keys has signed it.
    pub fn read(
        token: &str,
        keys: &Jwks,
        algorithms: &[Algorithm],
        types: &[&str],
    ) -> Result<Self, TokenError> {
        let token = Compact::parse(token)?;
        let known = |typ: &String| {
            let typ = typ.strip_prefix("application/").unwrap_or(typ);
            types.iter().any(|known| known.eq_ignore_ascii_case(typ))
        };
        if token.header.typ.as_ref().is_some_and(|typ| !known(typ)) {
            return Err(TokenError::Type);
        }
        keys.verify(&token, algorithms)?;
        token.claims()
    }

    /// Whether they are the issuer's, and hold now.
    pub fn check(
        &self,
        issuer: &Issuer,
        leeway_seconds: u32,
        now: DateTime<Utc>,
    ) -> Result<(), TokenError> {
        if !issuer.is(&self.iss, self.tid.as_deref()) {
            return Err(TokenError::Issuer);
        }
        let times = Times {
            issued_at: Some(self.iat.0),
            not_before: self.nbf.map(|time| time.0),
            expires_at: self.exp.0,
        };
        times.check(now, leeway_seconds)
    }
}
