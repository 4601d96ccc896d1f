//! Access tokens: short-lived JSON web tokens signed by Ed25519 (RFC 9068, RFC 8037), which every
//! copy of the front end checks without asking anyone.

mod claims;
mod signing_keys;
mod verifier;

pub use claims::{AccessClaims, ActorClaim};
pub use signing_keys::{KeysFormError, SigningKeys};
pub use verifier::{AccessVerifier, MAX_LEEWAY_SECONDS};

/// Says that a token is an access token, so that no other kind of token passes for one.
const TYPE: &str = "at+jwt";
const ALGORITHM: &str = "EdDSA";

#[cfg(test)]
mod tests;
