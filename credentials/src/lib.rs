//! Proofs of identity: what someone knows, has or was given, checked without I/O.
//!
//! Nothing here reads a clock, draws randomness of its own, opens a connection or keeps anything.
//! Times and sources of randomness are passed in, and what has to be remembered is handed back.

pub mod access;
pub mod http_signature;
pub mod jose;
pub mod legacy_token;
pub mod oidc;
pub mod passkey;
pub mod password;
pub mod recovery;
pub mod secret_token;
pub mod totp;
