use domain::{ClaimChange, ids::OrganizationId};
use uuid::Uuid;

use crate::IdempotencyKey;

/// Events for one stream, to be appended as a whole or not at all.
#[derive(Debug, Clone)]
pub struct AppendRequest {
    pub org: OrganizationId,
    pub aggregate_type: &'static str,
    pub aggregate_id: String,
    /// The version the events were decided on; 0 for a stream that must not exist yet.
    pub expected_version: u64,
    pub events: Vec<NewEvent>,
    pub claims: Vec<ClaimChange>,
    pub idempotency: Option<IdempotencyKey>,
    pub command_id: Uuid,
    pub correlation_id: Uuid,
    pub causation_id: Option<Uuid>,
    pub actor: String,
    /// A JSON object of strings.
    pub metadata: String,
}

#[derive(Debug, Clone)]
pub struct NewEvent {
    pub event_id: Uuid,
    pub event_type: String,
    pub event_version: String,
    /// JSON; stored byte for byte.
    pub payload: String,
}

/// Where the events of a request came to stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    pub last_position: u64,
    pub version: u64,
    pub recorded_at: domain::Timestamp,
}

/// What an earlier request under the same idempotency key came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResult {
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub version: u64,
    pub position: u64,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    #[error("the aggregate has changed since version {expected}")]
    Conflict { expected: u64 },
    #[error("`{key}` is already taken as {kind}")]
    Claimed { kind: &'static str, key: String },
    #[error("the idempotency key was used before by the same request")]
    Duplicate(Box<StoredResult>),
    #[error("the idempotency key was used before by another request")]
    KeyReused,
    #[error("an event of {bytes} bytes is larger than the {max} bytes that a message can carry")]
    TooLarge { bytes: usize, max: usize },
    #[error("more commands are waiting than the log can take; try again later")]
    Overloaded,
    #[error("the log is shutting down")]
    Closed,
    #[error("the log's database failed")]
    Database(#[source] std::sync::Arc<sqlx::Error>),
}

impl From<sqlx::Error> for AppendError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(std::sync::Arc::new(error))
    }
}

impl AppendRequest {
    pub(crate) fn conflict(&self) -> AppendError {
        AppendError::Conflict { expected: self.expected_version }
    }

    /// About what it weighs in memory and on the wire.
    pub(crate) fn bytes(&self) -> usize {
        const FIXED: usize = 256;
        let events: usize = self.events.iter().map(|event| event.payload.len() + FIXED).sum();
        events + self.metadata.len() + FIXED
    }
}
