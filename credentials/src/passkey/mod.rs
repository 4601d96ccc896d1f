//! Passkeys: the two ceremonies of Web Authentication Level 3, as the relying party sees them.
//!
//! Names are those of the standard. Of attestation only `none` and self attestation are known: who
//! built an authenticator does not matter here, and nothing is asked about it. Signatures are ES256,
//! EdDSA and RS256.
//!
//! A ceremony begins with options for the browser and a state to keep for the person alone; the state
//! is taken away by finishing, so a challenge is good for one answer.

mod attestation;
mod authentication;
mod authenticator_data;
mod base64url;
mod cbor;
mod client_data;
mod cose;
mod credential;
mod error;
mod options;
mod registration;
mod relying_party;

pub use authentication::{
    Authenticated, AuthenticationResponse, AuthenticationState, AuthenticatorAssertionResponse,
};
pub use base64url::Base64Url;
pub use credential::{CredentialRecord, PublicKeyCredentialDescriptor};
pub use error::CeremonyError;
pub use options::{
    AuthenticatorSelectionCriteria, PublicKeyCredentialCreationOptions,
    PublicKeyCredentialParameters, PublicKeyCredentialRequestOptions, PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity, UserVerificationRequirement,
};
pub use registration::{AuthenticatorAttestationResponse, RegistrationResponse, RegistrationState};
pub use relying_party::{RelyingParty, RelyingPartyError, RelyingPartyOptions};

/// Time for a person to find and touch their authenticator.
const CEREMONY_SECONDS: i64 = 300;

#[cfg(test)]
mod tests;
