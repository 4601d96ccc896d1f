use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{Algorithm, MAX_TOKEN, PublicKey, TokenError};

/// A token in its parts. Nothing in it is true before [`Self::verify`].
pub struct Compact<'a> {
    pub header: Header,
    pub signed: &'a str,
    pub signature: Vec<u8>,
    payload: &'a str,
}

#[derive(Debug, Deserialize)]
pub struct Header {
    pub alg: String,
    pub kid: Option<String>,
    pub typ: Option<String>,
    crit: Option<IgnoredAny>,
}

impl<'a> Compact<'a> {
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > MAX_TOKEN {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        let header: Header = json(header)?;
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        Ok(Self { header, signed, signature: decode(signature)?, payload })
    }

    /// The algorithm, if it is one of the accepted.
    pub fn algorithm(&self, accepted: &[Algorithm]) -> Result<Algorithm, TokenError> {
        Algorithm::named(&self.header.alg)
            .filter(|algorithm| accepted.contains(algorithm))
            .ok_or(TokenError::Algorithm)
    }

    pub fn verify(&self, key: &PublicKey, algorithm: Algorithm) -> Result<(), TokenError> {
        key.verify(algorithm, self.signed.as_bytes(), &self.signature)
    }

    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, TokenError> {
        json(self.payload)
    }
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    serde_json::from_slice(&decode(part)?).map_err(|_| TokenError::Malformed)
}

/// Refuses padding, and a second spelling of the same bytes.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}

/// What a token claims to be, by which its issuer's keys are found. Nothing of it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unverified {
    pub alg: String,
    pub kid: Option<String>,
    pub issuer: Option<String>,
}

impl Unverified {
    pub fn read(token: &str) -> Result<Self, TokenError> {
        #[derive(Deserialize)]
        struct Issuer {
            iss: Option<String>,
        }
        let token = Compact::parse(token)?;
        let issuer = token.claims::<Issuer>()?.iss;
        let Header { alg, kid, .. } = token.header;
        Ok(Self { alg, kid, issuer })
    }
}
