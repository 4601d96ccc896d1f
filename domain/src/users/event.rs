use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Pii, Timestamp, event::EventType, ids::UserId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UserEvent {
    SignedUp {
        user_id: UserId,
        email: Pii<String>,
        /// HMAC-SHA256 of the normal form of the address under a key of the installation, in
        /// hexadecimal. It keeps addresses unique and finds an account by its address.
        email_index: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Pii<String>>,
        password_hash: Pii<String>,
        signed_up_at: Timestamp,
    },
    /// Somebody signed up with the address of this account, who may be its owner.
    SignUpRepeated {
        repeated_at: Timestamp,
    },
    EmailVerificationAsked {
        /// The link in the mail is made from it and from a key that is not in the log.
        nonce: String,
        expires_at: Timestamp,
        asked_at: Timestamp,
    },
    EmailVerified {
        verified_at: Timestamp,
    },
    PasswordResetAsked {
        nonce: String,
        expires_at: Timestamp,
        asked_at: Timestamp,
    },
    /// By the link of a mail, which proves the address too. Ends every session.
    PasswordReset {
        user_id: UserId,
        password_hash: Pii<String>,
        reset_at: Timestamp,
    },
    /// The same password, hashed in today's way.
    PasswordRehashed {
        user_id: UserId,
        password_hash: Pii<String>,
        renewed_at: Timestamp,
    },
    /// Sessions of an earlier epoch are over.
    SessionsEndedEverywhere {
        ended_at: Timestamp,
    },
    /// The key of the person is destroyed with it, and so is every personal value there was.
    Erased {
        email_index: String,
        erased_at: Timestamp,
    },
}

pub const EVENT_TYPES: &[EventType] = &[
    EventType { name: "user.signed_up", version: 1, about: "Somebody made an account." },
    EventType {
        name: "user.sign_up_repeated",
        version: 1,
        about: "Somebody signed up with the address of an account that is there already.",
    },
    EventType {
        name: "user.email_verification_asked",
        version: 1,
        about: "A mail with a link that confirms the address is to be sent.",
    },
    EventType { name: "user.email_verified", version: 1, about: "The address was confirmed." },
    EventType {
        name: "user.password_reset_asked",
        version: 1,
        about: "A mail with a link that lets choose a new password is to be sent.",
    },
    EventType {
        name: "user.password_reset",
        version: 1,
        about: "A new password was chosen by the link of a mail, and every session ended.",
    },
    EventType {
        name: "user.password_rehashed",
        version: 1,
        about: "The password is stored in a newer way; it has not changed.",
    },
    EventType {
        name: "user.sessions_ended_everywhere",
        version: 1,
        about: "Every session of the person ended.",
    },
    EventType {
        name: "user.erased",
        version: 1,
        about: "The account and the personal data of its owner were erased.",
    },
];

impl cqrs_es::DomainEvent for UserEvent {
    fn event_type(&self) -> String {
        match self {
            Self::SignedUp { .. } => "user.signed_up",
            Self::SignUpRepeated { .. } => "user.sign_up_repeated",
            Self::EmailVerificationAsked { .. } => "user.email_verification_asked",
            Self::EmailVerified { .. } => "user.email_verified",
            Self::PasswordResetAsked { .. } => "user.password_reset_asked",
            Self::PasswordReset { .. } => "user.password_reset",
            Self::PasswordRehashed { .. } => "user.password_rehashed",
            Self::SessionsEndedEverywhere { .. } => "user.sessions_ended_everywhere",
            Self::Erased { .. } => "user.erased",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
