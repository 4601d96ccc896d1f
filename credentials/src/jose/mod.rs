//! JSON Web Signatures in compact form (RFC 7515) and the keys to check them (RFC 7517, RFC 8037).
//!
//! Only signatures by a private key are known. What a key may check follows from the key and never
//! from the token, so that no token can talk its way into `none` or into a public key used as an HMAC
//! secret. Keys that a token brings along (`jwk`, `jku`, `x5c`) are not looked at.

mod algorithm;
mod claims;
mod compact;
mod error;
mod jwk;
mod jwks;

pub use algorithm::Algorithm;
pub use compact::Unverified;
pub use error::TokenError;
pub use jwk::PublicKey;
pub use jwks::{Jwks, JwksError, MAX_JWKS_BYTES};

pub(crate) use claims::{NumericDate, OneOrMany, Times};
pub(crate) use compact::Compact;

/// Bytes of the longest token. What is longer is refused before it is decoded.
pub const MAX_TOKEN: usize = 16 * 1024;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
