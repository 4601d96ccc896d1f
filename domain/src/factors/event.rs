use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Pii, Timestamp,
    event::EventType,
    ids::{PasskeyId, UserId},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FactorEvent {
    TotpAdded {
        user_id: UserId,
        /// What the app and the server share, in base 32.
        secret: Pii<String>,
        /// Of the code that proved that the app has it; codes of later steps work.
        step: i64,
        added_at: Timestamp,
    },
    TotpRemoved {
        removed_at: Timestamp,
    },
    TotpUsed {
        step: i64,
        used_at: Timestamp,
    },
    PasskeyAdded {
        user_id: UserId,
        passkey_id: PasskeyId,
        /// SHA-256 of the credential's id, in hexadecimal. It keeps passkeys unique.
        credential_hash: String,
        /// The credential record of Web Authentication, as JSON.
        record: Pii<String>,
        /// What its owner calls it.
        name: Pii<String>,
        sign_count: u32,
        added_at: Timestamp,
    },
    PasskeyRemoved {
        passkey_id: PasskeyId,
        credential_hash: String,
        removed_at: Timestamp,
    },
    PasskeyUsed {
        passkey_id: PasskeyId,
        sign_count: u32,
        used_at: Timestamp,
    },
    /// In place of all there were.
    RecoveryCodesIssued {
        /// SHA-256 of each, in hexadecimal.
        code_hashes: Vec<String>,
        issued_at: Timestamp,
    },
    RecoveryCodeUsed {
        /// Its place among those that were left.
        number: u32,
        used_at: Timestamp,
    },
    /// Somebody who knew the first factor gave a wrong answer.
    Refused {
        refused_at: Timestamp,
    },
}

const fn event(name: &'static str, about: &'static str) -> EventType {
    EventType { name, version: 1, about }
}

pub const EVENT_TYPES: &[EventType] = &[
    event("second_factor.totp_added", "Somebody set up an authenticator app."),
    event("second_factor.totp_removed", "An authenticator app was removed."),
    event("second_factor.totp_used", "A code of an authenticator app was used, and works no more."),
    event("second_factor.passkey_added", "Somebody added a passkey."),
    event("second_factor.passkey_removed", "A passkey was removed."),
    event("second_factor.passkey_used", "Somebody signed in by a passkey."),
    event("second_factor.recovery_codes_issued", "Recovery codes were made; former ones are void."),
    event("second_factor.recovery_code_used", "A recovery code was used up."),
    event("second_factor.refused", "A wrong second factor was given after a right first one."),
];

impl cqrs_es::DomainEvent for FactorEvent {
    fn event_type(&self) -> String {
        match self {
            Self::TotpAdded { .. } => "second_factor.totp_added",
            Self::TotpRemoved { .. } => "second_factor.totp_removed",
            Self::TotpUsed { .. } => "second_factor.totp_used",
            Self::PasskeyAdded { .. } => "second_factor.passkey_added",
            Self::PasskeyRemoved { .. } => "second_factor.passkey_removed",
            Self::PasskeyUsed { .. } => "second_factor.passkey_used",
            Self::RecoveryCodesIssued { .. } => "second_factor.recovery_codes_issued",
            Self::RecoveryCodeUsed { .. } => "second_factor.recovery_code_used",
            Self::Refused { .. } => "second_factor.refused",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
