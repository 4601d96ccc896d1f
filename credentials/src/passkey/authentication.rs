use chrono::{DateTime, TimeDelta, Utc};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

use super::{
    Base64Url, CEREMONY_SECONDS, CeremonyError, CredentialRecord, PublicKeyCredentialDescriptor,
    PublicKeyCredentialRequestOptions, RelyingParty, UserVerificationRequirement,
    authenticator_data::AuthenticatorData, cbor, client_data::CollectedClientData, cose::CoseKey,
    registration::check_kind, relying_party::challenge,
};

/// What is kept between the beginning of an authentication and its end.
#[derive(Debug, Serialize, Deserialize)]
pub struct AuthenticationState {
    challenge: Base64Url,
    /// Empty when any passkey will do.
    allowed: Vec<Base64Url>,
    user_verification: UserVerificationRequirement,
    expires_at: DateTime<Utc>,
}

/// What the browser's `PublicKeyCredential.toJSON()` gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationResponse {
    pub id: String,
    /// By this the caller finds the passkey and its owner.
    pub raw_id: Base64Url,
    #[serde(rename = "type")]
    pub kind: String,
    pub response: AuthenticatorAssertionResponse,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticatorAssertionResponse {
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: Base64Url,
    pub authenticator_data: Base64Url,
    pub signature: Base64Url,
    pub user_handle: Option<Base64Url>,
}

/// What to store of a passkey that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated {
    pub sign_count: u32,
    pub backup_state: bool,
    /// Whether the authenticator verified its user, which makes it two factors in one.
    pub user_verified: bool,
}

impl RelyingParty {
    /// `allowed` are the passkeys of a person who is known already; empty when none is.
    pub fn start_authentication(
        &self,
        allowed: Vec<PublicKeyCredentialDescriptor>,
        user_verification: UserVerificationRequirement,
        now: DateTime<Utc>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> (PublicKeyCredentialRequestOptions, AuthenticationState) {
        let challenge = challenge(rng);
        let state = AuthenticationState {
            challenge: challenge.clone(),
            allowed: allowed.iter().map(|credential| credential.id.clone()).collect(),
            user_verification,
            expires_at: now + TimeDelta::seconds(CEREMONY_SECONDS),
        };
        let options = PublicKeyCredentialRequestOptions {
            challenge,
            timeout: CEREMONY_SECONDS * 1000,
            rp_id: self.options.id.clone(),
            allow_credentials: allowed,
            user_verification,
        };
        (options, state)
    }

    /// Checks that the holder of the stored passkey answered (section 7.2). `user_handle` is the id
    /// that its owner was given at registration.
    pub fn finish_authentication(
        &self,
        state: AuthenticationState,
        credential: &AuthenticationResponse,
        stored: &CredentialRecord,
        user_handle: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Authenticated, CeremonyError> {
        if now >= state.expires_at {
            return Err(CeremonyError::TooLate);
        }
        check_kind(&credential.kind, &credential.id, &credential.raw_id)?;
        check_owner(&state, credential, stored, user_handle)?;
        let response = &credential.response;
        let json = &response.client_data_json.0;
        let hash = CollectedClientData::check(json, "webauthn.get", &state.challenge, self)?;
        let data = AuthenticatorData::parse(&response.authenticator_data.0)?;
        data.check(self, state.user_verification)?;
        if data.backup_eligible() != stored.backup_eligible {
            return Err(CeremonyError::Backup);
        }
        let signed = [response.authenticator_data.0.as_slice(), &hash].concat();
        stored_key(stored)?.verify(&signed, &response.signature.0)?;
        let counts = data.sign_count != 0 || stored.sign_count != 0;
        if counts && data.sign_count <= stored.sign_count {
            return Err(CeremonyError::SignCount);
        }
        Ok(Authenticated {
            sign_count: data.sign_count,
            backup_state: data.backup_state(),
            user_verified: data.user_verified(),
        })
    }
}

fn check_owner(
    state: &AuthenticationState,
    credential: &AuthenticationResponse,
    stored: &CredentialRecord,
    user_handle: &[u8],
) -> Result<(), CeremonyError> {
    let allowed = state.allowed.is_empty() || state.allowed.contains(&credential.raw_id);
    if !allowed || stored.id != credential.raw_id {
        return Err(CeremonyError::NotAllowed);
    }
    match &credential.response.user_handle {
        Some(given) if given.0 == user_handle => Ok(()),
        Some(_) => Err(CeremonyError::UserHandle),
        // Only someone who said before who they are may leave it out.
        None if state.allowed.is_empty() => Err(CeremonyError::UserHandle),
        None => Ok(()),
    }
}

fn stored_key(stored: &CredentialRecord) -> Result<CoseKey, CeremonyError> {
    let map = cbor::only(&stored.public_key.0).ok_or(CeremonyError::Malformed("the stored key"))?;
    CoseKey::read(&map)
}
