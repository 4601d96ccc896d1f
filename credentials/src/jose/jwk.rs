use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

use super::{Algorithm, TokenError};

/// A key that checks signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub(super) kid: Option<String>,
    material: Material,
    /// The one algorithm that its owner uses it for, where that is said.
    only: Option<Algorithm>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Ed25519(Vec<u8>),
    /// Uncompressed point.
    P256(Vec<u8>),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

#[derive(Deserialize)]
pub(super) struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl PublicKey {
    pub fn ed25519(kid: String, public: &[u8; 32]) -> Self {
        Self { kid: Some(kid), material: Material::Ed25519(public.to_vec()), only: None }
    }

    /// `None` for a key of another kind or for another use.
    pub(super) fn from_jwk(jwk: Jwk) -> Option<Self> {
        if jwk.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(jwk.x, 32)?),
            ("EC", Some("P-256")) => {
                Material::P256([vec![4], bytes(jwk.x, 32)?, bytes(jwk.y, 32)?].concat())
            }
            ("RSA", _) => Material::Rsa { n: number(jwk.n)?, e: number(jwk.e)? },
            _ => return None,
        };
        let only = match jwk.alg {
            None => None,
            Some(name) => Some(Algorithm::named(&name)?),
        };
        Some(Self { kid: jwk.kid, material, only })
    }

    /// Whether the key checks signatures of this algorithm.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match self.material {
            Material::Ed25519(_) => algorithm == Algorithm::EdDSA,
            Material::P256(_) => algorithm == Algorithm::ES256,
            Material::Rsa { .. } => matches!(algorithm, Algorithm::RS256 | Algorithm::PS256),
        };
        kind && self.only.is_none_or(|only| only == algorithm)
    }

    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        if !self.fits(algorithm) {
            return Err(TokenError::Algorithm);
        }
        let plain = |kind: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(kind, key).verify(message, signature)
        };
        let verified = match &self.material {
            Material::Ed25519(key) => plain(&ED25519, key),
            Material::P256(key) => plain(&ECDSA_P256_SHA256_FIXED, key),
            Material::Rsa { n, e } => {
                let padding = match algorithm {
                    Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => {
                        &RSA_PKCS1_2048_8192_SHA256
                    }
                };
                RsaPublicKeyComponents { n, e }.verify(padding, message, signature)
            }
        };
        verified.map_err(|_| TokenError::Signature)
    }
}

fn decode(text: Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

fn bytes(text: Option<String>, len: usize) -> Option<Vec<u8>> {
    decode(text).filter(|bytes| bytes.len() == len)
}

/// A big number without the leading zeros that some write.
fn number(text: Option<String>) -> Option<Vec<u8>> {
    let bytes = decode(text)?;
    let first = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[first..].to_vec())
}
