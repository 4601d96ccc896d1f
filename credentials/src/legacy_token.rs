//! Tokens of the older backend: HS256 under a secret that both sides share.
//!
//! Who can check such a token can also make one, so they are accepted only where an operator gives the
//! secret on purpose, while the older backend is still there.

use std::fmt;

use chrono::{DateTime, Utc};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::jose::{Compact, NumericDate, OneOrMany, Times, TokenError};

/// Bytes of the shortest secret (RFC 7518, section 3.2). A shorter one can be guessed from any token.
pub const MIN_SECRET: usize = 32;
/// The only one that such tokens are signed by.
pub const ALGORITHM: &str = "HS256";
const LEEWAY_SECONDS: u32 = 5;

pub struct LegacyTokens(hmac::Key);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of the older backend's tokens has at least {MIN_SECRET} bytes")]
pub struct ShortSecret;

/// What a token of the older backend says.
#[derive(Clone, PartialEq, Eq)]
pub struct LegacyClaims {
    pub user_id: String,
    pub tenant_id: String,
    pub email: String,
    pub roles: Vec<String>,
    pub issued_at: Option<i64>,
    pub expires_at: i64,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(deserialize_with = "id")]
    user_id: String,
    #[serde(deserialize_with = "id")]
    tenant_id: String,
    email: String,
    roles: OneOrMany,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
}

impl LegacyTokens {
    pub fn new(secret: &SecretString) -> Result<Self, ShortSecret> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < MIN_SECRET {
            return Err(ShortSecret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<LegacyClaims, TokenError> {
        let token = Compact::parse(token)?;
        if token.header.alg != ALGORITHM {
            return Err(TokenError::Algorithm);
        }
        hmac::verify(&self.0, token.signed.as_bytes(), &token.signature)
            .map_err(|_| TokenError::Signature)?;
        let claims: Claims = token.claims()?;
        let times = Times {
            issued_at: claims.iat.map(|time| time.0),
            not_before: claims.nbf.map(|time| time.0),
            expires_at: claims.exp.0,
        };
        times.check(now, LEEWAY_SECONDS)?;
        Ok(LegacyClaims {
            user_id: claims.user_id,
            tenant_id: claims.tenant_id,
            email: claims.email,
            roles: claims.roles.into_vec(),
            issued_at: claims.iat.map(|time| time.0),
            expires_at: claims.exp.0,
        })
    }
}

impl fmt::Debug for LegacyTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegacyTokens(..)")
    }
}

/// Without what tells who it is.
impl fmt::Debug for LegacyClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegacyClaims").field("roles", &self.roles).finish_non_exhaustive()
    }
}

/// A number or a text, since nothing says which.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(u64),
    }
    Ok(match Id::deserialize(deserializer)? {
        Id::Text(text) => text,
        Id::Number(number) => number.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::jose::testing;

    const NOW: i64 = 1_800_000_000;
    const SECRET: &str = "a secret that is shared with the older backend";

    fn claims() -> Value {
        json!({ "user_id": 7, "tenant_id": "t1", "email": "ada@example.org", "roles": ["owner"], "exp": NOW + 86_400 })
    }

    fn token(algorithm: &str, secret: &str, claims: &Value) -> String {
        testing::token(&json!({ "alg": algorithm, "typ": "JWT" }), claims, |message| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            hmac::sign(&key, message).as_ref().to_vec()
        })
    }

    fn verify(token: &str) -> Result<LegacyClaims, TokenError> {
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        LegacyTokens::new(&SECRET.into()).unwrap().verify(token, now)
    }

    #[test]
    fn a_token_of_the_older_backend_is_read() {
        let claims = verify(&token("HS256", SECRET, &claims())).unwrap();
        assert_eq!((claims.user_id.as_str(), claims.tenant_id.as_str()), ("7", "t1"));
        assert_eq!(claims.roles, ["owner"]);
        assert!(!format!("{claims:?}").contains("ada@"));
    }

    #[test]
    fn another_secret_or_algorithm_is_refused() {
        assert_eq!(verify(&token("HS256", "another", &claims())), Err(TokenError::Signature));
        for algorithm in ["none", "HS512", "RS256", "EdDSA"] {
            assert_eq!(verify(&token(algorithm, SECRET, &claims())), Err(TokenError::Algorithm));
        }
    }

    #[test]
    fn a_token_expires() {
        let mut old = claims();
        old["exp"] = json!(NOW - 5);
        assert_eq!(verify(&token("HS256", SECRET, &old)), Err(TokenError::Expired));
        old.as_object_mut().unwrap().remove("exp");
        assert_eq!(verify(&token("HS256", SECRET, &old)), Err(TokenError::Malformed));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        assert_eq!(LegacyTokens::new(&"x".repeat(31).into()).unwrap_err(), ShortSecret);
    }

    #[test]
    fn the_signature_of_rfc_7515_holds() {
        let secret = testing::decode(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        );
        let tokens = LegacyTokens(hmac::Key::new(hmac::HMAC_SHA256, &secret));
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        // Its claims are not ours, which is noticed only after the signature.
        let now = DateTime::from_timestamp(0, 0).unwrap();
        assert_eq!(tokens.verify(token, now), Err(TokenError::Malformed));
    }
}
