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
        /// None for somebody who came through a provider.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password_hash: Option<Pii<String>>,
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
    /// By whoever knew the former one. Ends every session.
    PasswordChanged {
        user_id: UserId,
        password_hash: Pii<String>,
        changed_at: Timestamp,
    },
    /// The whole of it, as it is from now on.
    ProfileChanged {
        user_id: UserId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Pii<String>>,
        /// A language tag, such as `de-AT`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        language: Option<Pii<String>>,
        /// Of the IANA database, such as `Europe/Vienna`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        time_zone: Option<Pii<String>>,
        changed_at: Timestamp,
    },
    EmailChangeAsked {
        user_id: UserId,
        /// The new address.
        email: Pii<String>,
        email_index: String,
        nonce: String,
        expires_at: Timestamp,
        asked_at: Timestamp,
    },
    /// By the link of a mail to the new address.
    EmailChanged {
        user_id: UserId,
        email: Pii<String>,
        email_index: String,
        /// It is free for other accounts.
        former_index: String,
        changed_at: Timestamp,
    },
    /// The same password, hashed in today's way.
    PasswordRehashed {
        user_id: UserId,
        password_hash: Pii<String>,
        renewed_at: Timestamp,
    },
    /// Somebody who had not confirmed the address chose it, and its owner came through a provider.
    PasswordRemoved {
        removed_at: Timestamp,
    },
    /// Whoever signs in as this person at the issuer is the owner of the account.
    IdentityLinked {
        user_id: UserId,
        /// What the provider is called here.
        provider: String,
        issuer: String,
        /// The person at the issuer.
        subject: Pii<String>,
        /// HMAC-SHA256 of issuer and subject under a key of the installation, in hexadecimal. It keeps
        /// identities unique and finds an account by one.
        identity_index: String,
        /// What the issuer said is their address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<Pii<String>>,
        linked_at: Timestamp,
    },
    IdentityUnlinked {
        identity_index: String,
        unlinked_at: Timestamp,
    },
    /// Sessions of an earlier epoch are over.
    SessionsEndedEverywhere {
        ended_at: Timestamp,
    },
    /// By an operator. Ends every session; until it is lifted nobody signs in, and the keys that the
    /// person issued are refused.
    Suspended {
        user_id: UserId,
        /// In the operator's words.
        reason: Pii<String>,
        suspended_at: Timestamp,
    },
    Unsuspended {
        unsuspended_at: Timestamp,
    },
    /// The key of the person is destroyed with it, and so is every personal value there was.
    Erased {
        email_index: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        identity_indexes: Vec<String>,
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
        name: "user.password_changed",
        version: 1,
        about: "A new password was chosen by whoever knew the former one, and every session ended.",
    },
    EventType {
        name: "user.profile_changed",
        version: 1,
        about: "Somebody changed what they are called, or how they want to be addressed.",
    },
    EventType {
        name: "user.email_change_asked",
        version: 1,
        about: "A mail with a link that makes this the address of the account is to be sent to it.",
    },
    EventType { name: "user.email_changed", version: 1, about: "The account has another address." },
    EventType {
        name: "user.password_rehashed",
        version: 1,
        about: "The password is stored in a newer way; it has not changed.",
    },
    EventType {
        name: "user.password_removed",
        version: 1,
        about: "The account has no password any more; one can be chosen by the link of a mail.",
    },
    EventType {
        name: "user.identity_linked",
        version: 1,
        about: "Somebody can sign in through a provider from now on.",
    },
    EventType {
        name: "user.identity_unlinked",
        version: 1,
        about: "Somebody can no longer sign in by this identity at a provider.",
    },
    EventType {
        name: "user.sessions_ended_everywhere",
        version: 1,
        about: "Every session of the person ended.",
    },
    EventType {
        name: "user.suspended",
        version: 1,
        about: "An operator suspended the account: its sessions ended, and its keys are refused.",
    },
    EventType {
        name: "user.unsuspended",
        version: 1,
        about: "The account is suspended no longer.",
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
            Self::PasswordChanged { .. } => "user.password_changed",
            Self::ProfileChanged { .. } => "user.profile_changed",
            Self::EmailChangeAsked { .. } => "user.email_change_asked",
            Self::EmailChanged { .. } => "user.email_changed",
            Self::PasswordRehashed { .. } => "user.password_rehashed",
            Self::PasswordRemoved { .. } => "user.password_removed",
            Self::IdentityLinked { .. } => "user.identity_linked",
            Self::IdentityUnlinked { .. } => "user.identity_unlinked",
            Self::SessionsEndedEverywhere { .. } => "user.sessions_ended_everywhere",
            Self::Suspended { .. } => "user.suspended",
            Self::Unsuspended { .. } => "user.unsuspended",
            Self::Erased { .. } => "user.erased",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
