use domain::{
    Timestamp,
    factors::{Factors, PASSKEY_NAME},
    ids::UserId,
};
use poem_openapi::Object;
use serde_json::Value;

use super::super::me::open;
use crate::{problem::Problem, state::App};

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct ConfirmInput {
    /// Of the account, once more. Left out by somebody who has none and has just signed in.
    pub password: Option<String>,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct SecondFactorInput {
    pub challenge: String,
    /// Of the authenticator app.
    pub code: Option<String>,
    pub recovery_code: Option<String>,
    /// What `PublicKeyCredential.toJSON()` gave.
    pub passkey: Option<Value>,
}

#[derive(Object)]
pub(crate) struct PasskeyAsked {
    /// Sent back with the answer of the browser; it can be answered once.
    pub challenge: String,
    pub expires_at: Timestamp,
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`.
    pub options: Value,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct PasskeyInput {
    pub challenge: String,
    /// What `PublicKeyCredential.toJSON()` gave.
    pub passkey: Value,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct NewPasskeyInput {
    pub challenge: String,
    /// What its owner calls it.
    pub name: String,
    /// What `PublicKeyCredential.toJSON()` gave.
    pub passkey: Value,
}

#[derive(Object)]
pub(crate) struct NewPasskey {
    pub id: String,
    /// With the first second factor, shown this once.
    #[oai(skip_serializing_if_is_empty)]
    pub recovery_codes: Vec<String>,
}

#[derive(Object)]
pub(crate) struct TotpAsked {
    /// Sent back with a code of the app.
    pub challenge: String,
    pub expires_at: Timestamp,
    /// In base 32, for an app that reads no QR code.
    pub secret: String,
    /// For a QR code.
    pub uri: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct ConfirmTotpInput {
    pub challenge: String,
    /// Of the authenticator app.
    pub code: String,
}

/// Each works once in place of a second factor. They are shown this once; none when there are some
/// already.
#[derive(Object)]
pub(crate) struct RecoveryCodes {
    pub recovery_codes: Vec<String>,
}

#[derive(Object)]
pub(crate) struct FactorsView {
    /// Whether an authenticator app is set up.
    pub totp: bool,
    pub passkeys: Vec<PasskeyView>,
    pub recovery_codes_left: u32,
}

#[derive(Object)]
pub(crate) struct PasskeyView {
    pub id: String,
    pub name: Option<String>,
    pub added_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

impl FactorsView {
    pub async fn of(app: &App, user: UserId, factors: &Factors) -> Result<Self, Problem> {
        let mut passkeys = Vec::new();
        for (id, passkey) in &factors.passkeys {
            passkeys.push(PasskeyView {
                id: id.to_string(),
                name: open(app, user, PASSKEY_NAME, Some(&passkey.name)).await?,
                added_at: passkey.added_at,
                used_at: passkey.used_at,
            });
        }
        Ok(Self {
            totp: factors.totp.is_some(),
            passkeys,
            recovery_codes_left: factors.recovery_hashes.len() as u32,
        })
    }
}
