use std::{collections::BTreeMap, sync::Arc};

use domain::{ClaimChange, ids::OrganizationId};
use serde_json::value::RawValue;
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
    /// Of several changes to one claim the last one counts.
    pub claims: Vec<ClaimChange>,
    pub idempotency: Option<IdempotencyKey>,
    pub command_id: Uuid,
    pub correlation_id: Uuid,
    pub causation_id: Option<Uuid>,
    pub actor: String,
    /// Kept with every event.
    pub metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub struct NewEvent {
    pub event_id: Uuid,
    pub event_type: String,
    pub event_version: String,
    /// Stored byte for byte.
    pub payload: Box<RawValue>,
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
    #[error("{given} {what} are more than the {max} that the log takes")]
    TooLarge { what: &'static str, given: usize, max: usize },
    #[error("more commands are waiting than the log can take; try again later")]
    Overloaded,
    #[error("the log is shutting down")]
    Closed,
    #[error("the log's database failed")]
    Database(#[source] Arc<sqlx::Error>),
    /// Trying again does not help.
    #[error("the log's database cannot hold what the request says")]
    Unstorable(#[source] Arc<sqlx::Error>),
}

impl From<sqlx::Error> for AppendError {
    fn from(error: sqlx::Error) -> Self {
        if is_of_data(&error) {
            Self::Unstorable(Arc::new(error))
        } else {
            Self::Database(Arc::new(error))
        }
    }
}

/// Whether the database refuses what it was given, and would again: classes 22 (data), 23
/// (constraints) and 54 (limits) of its error codes.
pub(super) fn is_of_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}

impl AppendRequest {
    pub(crate) fn conflict(&self) -> AppendError {
        AppendError::Conflict { expected: self.expected_version }
    }

    /// The version of the stream once it is appended.
    pub(crate) fn version_after(&self) -> u64 {
        self.expected_version + self.events.len() as u64
    }

    /// About what it weighs in memory and on the wire.
    pub(crate) fn bytes(&self) -> usize {
        const FIXED: usize = 256;
        let metadata: usize = self.metadata.iter().map(|(k, v)| k.len() + v.len()).sum();
        let each = metadata + self.aggregate_id.len() + FIXED;
        let events: usize = self.events.iter().map(|event| event.payload.get().len() + each).sum();
        let claims = self.claims.iter().map(|change| match change {
            ClaimChange::Take { key, .. } | ClaimChange::Release { key, .. } => key.len() + FIXED,
        });
        events + claims.sum::<usize>() + each
    }
}

pub(super) fn claim_key(change: &ClaimChange) -> (&'static str, String) {
    match change {
        ClaimChange::Take { kind, key } | ClaimChange::Release { kind, key } => (kind, key.clone()),
    }
}
