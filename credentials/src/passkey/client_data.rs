use ring::digest::{SHA256, digest};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::{Base64Url, CeremonyError, RelyingParty};

/// Bytes of the longest client data. Browsers send a few hundred.
const MAX_BYTES: usize = 8 * 1024;

/// What the browser says about the ceremony (section 5.8.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectedClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: Base64Url,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

impl CollectedClientData {
    /// Reads and checks the client data, and gives its hash, over which authenticators sign.
    pub fn check(
        json: &[u8],
        kind: &str,
        challenge: &Base64Url,
        relying_party: &RelyingParty,
    ) -> Result<[u8; 32], CeremonyError> {
        if json.len() > MAX_BYTES {
            return Err(CeremonyError::Malformed("the client data is too long"));
        }
        let data: Self =
            serde_json::from_slice(json).map_err(|_| CeremonyError::Malformed("client data"))?;
        if data.kind != kind {
            return Err(CeremonyError::Type);
        }
        if !bool::from(data.challenge.0.ct_eq(&challenge.0)) {
            return Err(CeremonyError::Challenge);
        }
        if !relying_party.allows(&data.origin) {
            return Err(CeremonyError::Origin);
        }
        if data.cross_origin || data.top_origin.is_some() {
            return Err(CeremonyError::CrossOrigin);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, json).as_ref());
        Ok(hash)
    }
}
