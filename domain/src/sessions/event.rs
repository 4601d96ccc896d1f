use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Pii, Timestamp, event::EventType, ids::UserId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SessionEvent {
    Started {
        user_id: UserId,
        /// Of the user's sessions; the session ends when another one begins.
        epoch: u32,
        /// SHA-256 of the refresh token, in hexadecimal.
        token_hash: String,
        /// What its owner proved who they are by.
        #[serde(default)]
        proofs: Vec<Proof>,
        /// The provider that they came through, by what it is called here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
        /// What the client calls itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<Pii<String>>,
        /// Where the client was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<Pii<String>>,
        started_at: Timestamp,
        expires_at: Timestamp,
    },
    /// An operator acts as the person, without a refresh token.
    ImpersonationStarted {
        user_id: UserId,
        /// Of the user's sessions, as above.
        epoch: u32,
        /// Who it is, as the events that come of it name them: `api_key:<id>`.
        operator: String,
        /// In the operator's words.
        reason: Pii<String>,
        started_at: Timestamp,
        expires_at: Timestamp,
    },
    Refreshed {
        /// Counts the refresh tokens of the session, from 1.
        generation: u32,
        token_hash: String,
        refreshed_at: Timestamp,
        expires_at: Timestamp,
    },
    Ended {
        reason: EndReason,
        ended_at: Timestamp,
    },
}

/// Something that tells who somebody is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    Password,
    /// A code of an authenticator app.
    Totp,
    RecoveryCode,
    /// A passkey that somebody touched.
    Passkey,
    /// A passkey whose authenticator made sure of its owner: two factors in one.
    VerifiedPasskey,
    /// A provider said who it is.
    Provider,
    /// Likewise, and that there were two factors, in which it is believed.
    ProviderWithSecondFactor,
}

impl Proof {
    /// Names of RFC 8176, and `fed` for a provider, which it has none for.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Totp | Self::RecoveryCode => "otp",
            Self::Passkey | Self::VerifiedPasskey => "swk",
            Self::Provider | Self::ProviderWithSecondFactor => "fed",
        }
    }

    /// Whether these are two factors.
    pub fn are_two(proofs: &[Self]) -> bool {
        let is_first = |proof: &Self| matches!(proof, Self::Password | Self::Provider);
        let [first, second] = [proofs.iter().any(is_first), !proofs.iter().all(is_first)];
        let both = [Self::VerifiedPasskey, Self::ProviderWithSecondFactor];
        proofs.iter().any(|proof| both.contains(proof)) || (first && second)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its owner ended it.
    LoggedOut,
    /// A refresh token was used twice.
    TokenReused,
}

pub const EVENT_TYPES: &[EventType] = &[
    EventType { name: "session.started", version: 1, about: "Somebody signed in." },
    EventType {
        name: "session.impersonation_started",
        version: 1,
        about: "An operator acts as the person for a while.",
    },
    EventType {
        name: "session.refreshed",
        version: 1,
        about: "The session goes on with a new refresh token; the former one is used up.",
    },
    EventType { name: "session.ended", version: 1, about: "The session is over." },
];

impl EndReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::TokenReused => "token_reused",
        }
    }
}

impl cqrs_es::DomainEvent for SessionEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Started { .. } => "session.started",
            Self::ImpersonationStarted { .. } => "session.impersonation_started",
            Self::Refreshed { .. } => "session.refreshed",
            Self::Ended { .. } => "session.ended",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
