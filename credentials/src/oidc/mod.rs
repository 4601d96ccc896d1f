//! Logins through outside issuers (OpenID Connect Core 1.0, Discovery 1.0, RFC 7636).
//!
//! Documents are fetched elsewhere and read here; which addresses may be fetched is for the fetcher.

mod bearer;
mod claims;
mod code_flow;
mod discovery;
mod id_token;
mod issuer;
mod key_cache;

pub use bearer::{BearerClaims, BearerPolicy};
pub use code_flow::{CodeFlow, CodeFlowError, s256};
pub use discovery::{Discovery, DiscoveryError, MAX_DISCOVERY_BYTES};
pub use id_token::{IdClaims, IdTokenPolicy};
pub use issuer::Issuer;
pub use key_cache::{KeyCache, KeyCacheOptions, Need};

#[cfg(test)]
mod tests;
