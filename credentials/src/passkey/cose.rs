//! Public keys as authenticators give them (RFC 9052, RFC 9053).

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

use super::{CeremonyError, cbor::Map};

/// Identifiers of COSE algorithms, in the order in which they are asked for.
pub const ALGORITHMS: [i64; 3] = [EDDSA, ES256, RS256];
const EDDSA: i64 = -8;
const ES256: i64 = -7;
const RS256: i64 = -257;

/// Labels of a key's parts.
const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV_OR_N: i64 = -1;
const X_OR_E: i64 = -2;
const Y: i64 = -3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoseKey {
    Ed25519([u8; 32]),
    /// Uncompressed point.
    P256([u8; 65]),
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

impl CoseKey {
    /// The algorithm, the kind of key and the curve must belong together.
    pub fn read(map: &Map) -> Result<Self, CeremonyError> {
        let algorithm = map.integer(ALG).ok_or(CeremonyError::Malformed("the key's algorithm"))?;
        let kind = (algorithm, map.integer(KTY), map.integer(CRV_OR_N));
        let key = match kind {
            (EDDSA, Some(1), Some(6)) => part(map, X_OR_E).map(Self::Ed25519),
            (ES256, Some(2), Some(1)) => point(map).map(Self::P256),
            (RS256, Some(3), None) => rsa(map),
            _ => return Err(CeremonyError::Algorithm),
        };
        key.ok_or(CeremonyError::Malformed("the key"))
    }

    pub fn algorithm(&self) -> i64 {
        match self {
            Self::Ed25519(_) => EDDSA,
            Self::P256(_) => ES256,
            Self::Rsa { .. } => RS256,
        }
    }

    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), CeremonyError> {
        let verified = match self {
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Self::P256(key) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, signature)
            }
            Self::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
        };
        verified.map_err(|_| CeremonyError::Signature)
    }
}

fn part<const N: usize>(map: &Map, label: i64) -> Option<[u8; N]> {
    map.bytes(label)?.try_into().ok()
}

fn point(map: &Map) -> Option<[u8; 65]> {
    let (x, y): ([u8; 32], [u8; 32]) = (part(map, X_OR_E)?, part(map, Y)?);
    let mut point = [4; 65];
    point[1..33].copy_from_slice(&x);
    point[33..].copy_from_slice(&y);
    Some(point)
}

fn rsa(map: &Map) -> Option<CoseKey> {
    let (n, e) = (map.bytes(CRV_OR_N)?, map.bytes(X_OR_E)?);
    Some(CoseKey::Rsa { n: n.to_vec(), e: e.to_vec() })
}
