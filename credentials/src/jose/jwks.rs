use serde::Deserialize;

use super::{Algorithm, Compact, PublicKey, TokenError, jwk::Jwk};

/// Bytes of the largest document with keys that is read.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;
/// Keys that are kept of one.
const MAX_KEYS: usize = 100;

/// The keys that an issuer publishes, as far as they are of use here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jwks {
    keys: Vec<PublicKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    #[error("the document with the issuer's keys is larger than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    #[error("the document with the issuer's keys is not a JSON web key set")]
    Malformed,
    #[error("the issuer publishes no key for a signature that is accepted here")]
    Empty,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl Jwks {
    /// Keys of kinds that are not known are left out, as the standard asks.
    pub fn parse(document: &[u8]) -> Result<Self, JwksError> {
        if document.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLarge);
        }
        let document: Document =
            serde_json::from_slice(document).map_err(|_| JwksError::Malformed)?;
        let known = document.keys.into_iter().filter_map(|key| {
            serde_json::from_value::<Jwk>(key).ok().and_then(PublicKey::from_jwk)
        });
        let keys: Vec<_> = known.take(MAX_KEYS).collect();
        if keys.is_empty() { Err(JwksError::Empty) } else { Ok(Self { keys }) }
    }

    /// Whether a token with this key id could be checked.
    pub fn knows(&self, kid: Option<&str>) -> bool {
        match kid {
            Some(kid) => self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)),
            None => !self.keys.is_empty(),
        }
    }

    /// Checks the token's signature. One without a key id is checked only where a single key fits.
    pub(crate) fn verify(
        &self,
        token: &Compact<'_>,
        accepted: &[Algorithm],
    ) -> Result<(), TokenError> {
        let algorithm = token.algorithm(accepted)?;
        let kid = token.header.kid.as_deref();
        if !self.knows(kid) {
            return Err(TokenError::UnknownKey);
        }
        let named = |key: &&PublicKey| kid.is_none() || key.kid.as_deref() == kid;
        let mut fitting = self.keys.iter().filter(named).filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => token.verify(key, algorithm),
            (Some(_), Some(_)) => Err(TokenError::UnknownKey),
            (None, _) => Err(TokenError::Algorithm),
        }
    }
}
