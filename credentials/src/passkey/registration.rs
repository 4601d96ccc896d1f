use chrono::{DateTime, TimeDelta, Utc};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use super::{
    AuthenticatorSelectionCriteria, Base64Url, CEREMONY_SECONDS, CeremonyError, CredentialRecord,
    PublicKeyCredentialCreationOptions, PublicKeyCredentialDescriptor,
    PublicKeyCredentialParameters, PublicKeyCredentialRpEntity, PublicKeyCredentialUserEntity,
    RelyingParty, UserVerificationRequirement, attestation::AttestationObject,
    client_data::CollectedClientData, cose, credential::PUBLIC_KEY, relying_party::challenge,
};

/// Transports that are kept of those that a browser names.
const MAX_TRANSPORTS: usize = 8;

/// What is kept between the beginning of a registration and its end.
#[derive(Debug, Serialize, Deserialize)]
pub struct RegistrationState {
    challenge: Base64Url,
    user_verification: UserVerificationRequirement,
    expires_at: DateTime<Utc>,
}

/// What the browser's `PublicKeyCredential.toJSON()` gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationResponse {
    pub id: String,
    pub raw_id: Base64Url,
    #[serde(rename = "type")]
    pub kind: String,
    pub response: AuthenticatorAttestationResponse,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticatorAttestationResponse {
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: Base64Url,
    pub attestation_object: Base64Url,
    #[serde(default)]
    pub transports: Vec<String>,
}

impl RelyingParty {
    /// `existing` are the person's passkeys, so that no authenticator makes a second one.
    pub fn start_registration(
        &self,
        user: PublicKeyCredentialUserEntity,
        existing: Vec<PublicKeyCredentialDescriptor>,
        user_verification: UserVerificationRequirement,
        now: DateTime<Utc>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> (PublicKeyCredentialCreationOptions, RegistrationState) {
        let challenge = challenge(rng);
        let parameters = cose::ALGORITHMS
            .map(|alg| PublicKeyCredentialParameters { kind: PUBLIC_KEY, alg })
            .to_vec();
        let options = PublicKeyCredentialCreationOptions {
            rp: PublicKeyCredentialRpEntity {
                id: self.options.id.clone(),
                name: self.options.name.clone(),
            },
            user,
            challenge: challenge.clone(),
            pub_key_cred_params: parameters,
            timeout: CEREMONY_SECONDS * 1000,
            exclude_credentials: existing,
            authenticator_selection: AuthenticatorSelectionCriteria {
                resident_key: "required",
                require_resident_key: true,
                user_verification,
            },
            attestation: "none",
        };
        let expires_at = now + TimeDelta::seconds(CEREMONY_SECONDS);
        (options, RegistrationState { challenge, user_verification, expires_at })
    }

    /// The new passkey (section 7.1). That its id is not taken yet is for the caller to check.
    pub fn finish_registration(
        &self,
        state: RegistrationState,
        credential: &RegistrationResponse,
        now: DateTime<Utc>,
    ) -> Result<CredentialRecord, CeremonyError> {
        if now >= state.expires_at {
            return Err(CeremonyError::TooLate);
        }
        check_kind(&credential.kind, &credential.id, &credential.raw_id)?;
        let response = &credential.response;
        let json = &response.client_data_json.0;
        let hash = CollectedClientData::check(json, "webauthn.create", &state.challenge, self)?;
        let attestation = AttestationObject::parse(&response.attestation_object.0)?;
        let data = &attestation.data;
        data.check(self, state.user_verification)?;
        let attested = data.attested.as_ref().ok_or(CeremonyError::Malformed("no new passkey"))?;
        attestation.verify(attested, &hash)?;
        if attested.credential_id != credential.raw_id.0 {
            return Err(CeremonyError::Malformed("the ids of the passkey differ"));
        }
        Ok(CredentialRecord {
            id: credential.raw_id.clone(),
            public_key: Base64Url(attested.public_key.clone()),
            sign_count: data.sign_count,
            uv_initialized: data.user_verified(),
            backup_eligible: data.backup_eligible(),
            backup_state: data.backup_state(),
            transports: transports(&response.transports),
            aaguid: Base64Url(attested.aaguid.to_vec()),
        })
    }
}

pub(super) fn check_kind(kind: &str, id: &str, raw_id: &Base64Url) -> Result<(), CeremonyError> {
    if kind != PUBLIC_KEY || id != raw_id.to_string() {
        return Err(CeremonyError::Malformed("the passkey's type and id"));
    }
    Ok(())
}

/// Known and new ones alike, as the standard asks, as long as they are words.
fn transports(named: &[String]) -> Vec<String> {
    let word = |name: &&String| {
        (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    named.iter().filter(word).take(MAX_TRANSPORTS).cloned().collect()
}
