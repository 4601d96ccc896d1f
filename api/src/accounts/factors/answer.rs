use domain::Timestamp;
use poem_openapi::{ApiResponse, Object, payload::Json};
use serde_json::Value;

use super::super::model::Tokens;

/// What comes of a right password.
#[derive(ApiResponse)]
pub(crate) enum LoginAnswer {
    /// Signed in.
    #[oai(status = 200)]
    SignedIn(Json<Tokens>),
    /// The account has a second factor, which is asked for now.
    #[oai(status = 202)]
    SecondFactorNeeded(Json<SecondFactorNeeded>),
}

#[derive(Object)]
pub(crate) struct SecondFactorNeeded {
    /// Sent back with the second factor; it can be answered once.
    pub challenge: String,
    pub expires_at: Timestamp,
    /// Those that the account has: `totp`, `passkey`, `recovery_code`.
    pub factors: Vec<String>,
    /// Options for `navigator.credentials.get`, where there are passkeys.
    #[oai(skip_serializing_if_is_none)]
    pub passkey_options: Option<Value>,
}
