use serde::{Deserialize, Serialize};

use super::Base64Url;

/// What is stored of a passkey (section 4, "credential record").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct CredentialRecord {
    /// Unique over all people: the caller sees to that.
    pub id: Base64Url,
    /// A COSE key.
    pub public_key: Base64Url,
    pub sign_count: u32,
    /// Whether its owner was ever verified with it, so that it can count as two factors.
    pub uv_initialized: bool,
    /// Whether it may be copied to the owner's other devices, which never changes.
    pub backup_eligible: bool,
    pub backup_state: bool,
    pub transports: Vec<String>,
    /// The model of the authenticator, or zeros.
    pub aaguid: Base64Url,
}

impl CredentialRecord {
    pub fn descriptor(&self) -> PublicKeyCredentialDescriptor {
        let transports = self.transports.clone();
        PublicKeyCredentialDescriptor { kind: PUBLIC_KEY, id: self.id.clone(), transports }
    }
}

pub(super) const PUBLIC_KEY: &str = "public-key";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicKeyCredentialDescriptor {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub id: Base64Url,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transports: Vec<String>,
}
