//! The queue across all organisations: for the roles of the platform, never for a user's request.

use domain::{
    ids::OrganizationId,
    jobs::{JobKind, Priority},
};
use sqlx::Row;

use super::row::{COLUMNS, JobRow, JobStatus, kind, priority};
use crate::{QueryError, View};

/// How many jobs there are of one sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    pub kind: JobKind,
    pub priority: Priority,
    pub status: JobStatus,
    pub jobs: u64,
}

/// One job; none when it has ended.
pub async fn get(view: &View, job_id: &str) -> Result<Option<JobRow>, QueryError> {
    let query = format!("SELECT {COLUMNS} FROM {}.jobs WHERE job_id = $1", view.schema());
    let row = sqlx::query(&query).bind(job_id).fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(JobRow::from_row).transpose()?)
}

/// Jobs that wait, of these organisations or asked for by these, as [`JobRow::requested_by`] names them; at
/// most `limit` of them.
pub async fn waiting_of(
    view: &View,
    organizations: &[OrganizationId],
    requesters: &[String],
    limit: u32,
) -> Result<Vec<JobRow>, QueryError> {
    let query = format!(
        "SELECT {COLUMNS} FROM {}.jobs
         WHERE status = 'queued' AND (org_id = ANY ($1) OR requested_by = ANY ($2))
         ORDER BY job_id LIMIT $3",
        view.schema()
    );
    let organizations: Vec<_> = organizations.iter().map(|org| org.uuid()).collect();
    let query = sqlx::query(&query).bind(organizations).bind(requesters).bind(i64::from(limit));
    let rows = query.fetch_all(&view.pool).await?;
    Ok(rows.iter().map(JobRow::from_row).collect::<Result<_, _>>()?)
}

/// The size of the queue.
pub async fn depth(view: &View) -> Result<Vec<Depth>, QueryError> {
    let query = format!(
        "SELECT kind, rank, status, count(*) AS jobs FROM {}.jobs GROUP BY kind, rank, status",
        view.schema()
    );
    let rows = sqlx::query(&query).fetch_all(&view.pool).await?;
    let depths = rows.iter().map(|row| {
        Ok(Depth {
            kind: kind(row.try_get("kind")?)?,
            priority: priority(row.try_get("rank")?)?,
            status: JobStatus::parse(row.try_get("status")?)?,
            jobs: row.try_get::<i64, _>("jobs")? as u64,
        })
    });
    Ok(depths.collect::<Result<_, sqlx::Error>>()?)
}
