//! What the browser is given (sections 5.4 and 5.5), in the JSON that
//! `PublicKeyCredential.parseCreationOptionsFromJSON` and its sibling read.

use serde::{Deserialize, Serialize};

use super::{Base64Url, PublicKeyCredentialDescriptor};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserVerificationRequirement {
    Required,
    Preferred,
    Discouraged,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicKeyCredentialCreationOptions {
    pub rp: PublicKeyCredentialRpEntity,
    pub user: PublicKeyCredentialUserEntity,
    pub challenge: Base64Url,
    pub pub_key_cred_params: Vec<PublicKeyCredentialParameters>,
    /// Milliseconds.
    pub timeout: i64,
    pub exclude_credentials: Vec<PublicKeyCredentialDescriptor>,
    pub authenticator_selection: AuthenticatorSelectionCriteria,
    pub attestation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicKeyCredentialRpEntity {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicKeyCredentialUserEntity {
    /// At most 64 bytes that say nothing about the person.
    pub id: Base64Url,
    pub name: String,
    pub display_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicKeyCredentialParameters {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub alg: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticatorSelectionCriteria {
    pub resident_key: &'static str,
    pub require_resident_key: bool,
    pub user_verification: UserVerificationRequirement,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicKeyCredentialRequestOptions {
    pub challenge: Base64Url,
    /// Milliseconds.
    pub timeout: i64,
    pub rp_id: String,
    /// Empty to let the person choose among the passkeys for this site.
    pub allow_credentials: Vec<PublicKeyCredentialDescriptor>,
    pub user_verification: UserVerificationRequirement,
}
