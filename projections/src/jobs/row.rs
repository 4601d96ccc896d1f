use std::collections::BTreeMap;

use domain::{
    Timestamp,
    ids::OrganizationId,
    jobs::{JobKind, Priority},
};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::query::unreadable;

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Id of the aggregate that carries it.
    pub job_id: String,
    pub kind: JobKind,
    pub org: OrganizationId,
    pub priority: Priority,
    pub status: JobStatus,
    /// The attempt that runs or is waited for.
    pub attempt: u32,
    /// Who holds the running attempt.
    pub fence: Option<Uuid>,
    /// 1970 for one that was not put off.
    pub not_before: Timestamp,
    /// The running attempt must have ended by then.
    pub deadline: Option<Timestamp>,
    pub cancel_requested: bool,
    /// Who asked for it, or for whom it was asked for: `user:<id>`, `api_key:<id>`.
    pub requested_by: String,
    /// Position of the event that put it into the queue, this time.
    pub queued_position: u64,
    /// Time of that event.
    pub queued_at: Timestamp,
    /// Id of that event: what causes the job to be run.
    pub event_id: Uuid,
    pub correlation_id: Uuid,
    /// Of that event: `request_id`, `traceparent`.
    pub metadata: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobStatus {
    Queued,
    Running,
}

impl JobStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, sqlx::Error> {
        [Self::Queued, Self::Running]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| unreadable("status", text))
    }
}

pub(super) fn priority(rank: i16) -> Result<Priority, sqlx::Error> {
    Priority::from_rank(rank).ok_or_else(|| unreadable("rank", rank))
}

pub(super) fn kind(text: &str) -> Result<JobKind, sqlx::Error> {
    JobKind::parse(text).ok_or_else(|| unreadable("kind", text))
}

pub(super) const COLUMNS: &str = "job_id, kind, org_id, rank, status, attempt, fence, not_before,
    deadline, cancel_requested, requested_by, queued_position, queued_at, event_id, correlation_id, metadata";

impl JobRow {
    pub(super) fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(metadata) = row.try_get("metadata")?;
        Ok(Self {
            job_id: row.try_get("job_id")?,
            kind: kind(row.try_get("kind")?)?,
            org: OrganizationId::from_uuid(row.try_get("org_id")?),
            priority: priority(row.try_get("rank")?)?,
            status: JobStatus::parse(row.try_get("status")?)?,
            attempt: row.try_get::<i32, _>("attempt")? as u32,
            fence: row.try_get("fence")?,
            not_before: row.try_get("not_before")?,
            deadline: row.try_get("deadline")?,
            cancel_requested: row.try_get("cancel_requested")?,
            requested_by: row.try_get("requested_by")?,
            queued_position: row.try_get::<i64, _>("queued_position")? as u64,
            queued_at: row.try_get("queued_at")?,
            event_id: row.try_get("event_id")?,
            correlation_id: row.try_get("correlation_id")?,
            metadata,
        })
    }
}
