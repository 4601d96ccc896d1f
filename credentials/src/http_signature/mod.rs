//! Signatures over HTTP requests (RFC 9421) and digests of their bodies (RFC 9530).
//!
//! A request carries one signature, by HMAC-SHA-256 or Ed25519. That its nonce is not used again is for
//! the caller to keep.

mod base;
mod digest;
mod parse;
mod verify;

pub use base::SignedRequest;
pub use digest::check_content_digest;
pub use parse::{MAX_COMPONENTS, MAX_FIELD_BYTES, RequestSignature};
pub use verify::{SignatureKey, SignaturePolicy};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the field `{0}` is not what RFC 9421 and RFC 9530 say")]
    Malformed(&'static str),
    #[error("the request carries more than one signature; send one")]
    Several,
    #[error("the signature does not say `{0}`")]
    Missing(&'static str),
    #[error("the signature must cover `{0}`")]
    NotCovered(String),
    #[error("the signature covers `{0}`, which is not known here or not in the request")]
    Component(String),
    #[error("the key is not for the algorithm that the signature names")]
    Algorithm,
    #[error("the signature is too old; check the clock")]
    Expired,
    #[error("the signature is from the future; check the clock")]
    NotYetValid,
    #[error("the signature is wrong")]
    Signature,
    #[error("the body is not the one that `Content-Digest` names")]
    Digest,
}

#[cfg(test)]
mod tests;
