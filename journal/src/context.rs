use std::collections::BTreeMap;

use domain::ids::{ApiKeyId, OrganizationId, UserId};
use uuid::Uuid;

/// Who acts. It is recorded with every event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    ApiKey(ApiKeyId),
    User(UserId),
    /// Somebody of whom nothing is known yet.
    Anonymous,
    /// A role of the platform, `worker` or `sweeper`.
    System(&'static str),
    /// Whoever runs the command line on the operator's machine.
    Operator,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ApiKey(id) => write!(f, "api_key:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::System(role) => write!(f, "system:{role}"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// For whom, by whom and because of what a command is carried out.
#[derive(Debug, Clone)]
pub struct Context {
    pub org: OrganizationId,
    pub actor: Actor,
    /// Shared by everything that follows from one outside request.
    pub correlation_id: Uuid,
    /// The event that led to the command, if one did.
    pub causation_id: Option<Uuid>,
    /// Kept with the events: `request_id`, `traceparent`.
    pub metadata: BTreeMap<String, String>,
    pub idempotency: Option<IdempotencyKey>,
    /// The version the caller has seen. A command on another one is refused, never retried.
    pub expected_version: Option<u64>,
}

/// A key chosen by the client under which a command takes effect once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    /// Of everything that makes the request what it is.
    pub request_hash: [u8; 32],
}

impl Context {
    pub fn new(org: OrganizationId, actor: Actor, correlation_id: Uuid) -> Self {
        Self {
            org,
            actor,
            correlation_id,
            causation_id: None,
            metadata: BTreeMap::new(),
            idempotency: None,
            expected_version: None,
        }
    }

    #[must_use]
    pub fn caused_by(mut self, event_id: Uuid) -> Self {
        self.causation_id = Some(event_id);
        self
    }
}
