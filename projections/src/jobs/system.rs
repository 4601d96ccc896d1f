//! The queue across all organisations: for the roles of the platform, never for a user's request.

use domain::{
    Timestamp,
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

/// Jobs that may run at `now`, in the order in which to release them: higher priorities first, then
/// organisations in turn, then the longest waiting. At most `per_organization` of each.
pub async fn waiting(
    view: &View,
    kind: JobKind,
    now: Timestamp,
    per_organization: u32,
    limit: u32,
) -> Result<Vec<JobRow>, QueryError> {
    let query = format!(
        "SELECT {COLUMNS} FROM (
             SELECT *, row_number() OVER (PARTITION BY org_id ORDER BY rank, queued_position) AS n,
                    row_number() OVER (PARTITION BY org_id, rank ORDER BY queued_position) AS turn
             FROM {}.jobs WHERE kind = $1 AND status = 'queued' AND not_before <= $2
         ) j WHERE n <= $3 ORDER BY rank, turn, queued_position LIMIT $4",
        view.schema()
    );
    let rows = sqlx::query(&query)
        .bind(kind.as_str())
        .bind(now)
        .bind(i64::from(per_organization))
        .bind(i64::from(limit))
        .fetch_all(&view.pool)
        .await?;
    Ok(rows.iter().map(JobRow::from_row).collect::<Result<_, _>>()?)
}

/// Jobs with this status in the order of their ids, after `after`.
pub async fn page(
    view: &View,
    status: JobStatus,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<JobRow>, QueryError> {
    let query = format!(
        "SELECT {COLUMNS} FROM {}.jobs WHERE status = $1 AND job_id > $2 ORDER BY job_id LIMIT $3",
        view.schema()
    );
    let rows = sqlx::query(&query)
        .bind(status.as_str())
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&view.pool)
        .await?;
    Ok(rows.iter().map(JobRow::from_row).collect::<Result<_, _>>()?)
}

/// How many jobs of the kind run now, by organisation.
pub async fn running(view: &View, kind: JobKind) -> Result<Vec<(OrganizationId, u64)>, QueryError> {
    let query = format!(
        "SELECT org_id, count(*) AS jobs FROM {}.jobs
         WHERE kind = $1 AND status = 'running' GROUP BY org_id",
        view.schema()
    );
    let rows = sqlx::query(&query).bind(kind.as_str()).fetch_all(&view.pool).await?;
    let counts = rows.iter().map(|row| {
        let org = OrganizationId::from_uuid(row.try_get("org_id")?);
        Ok((org, row.try_get::<i64, _>("jobs")? as u64))
    });
    Ok(counts.collect::<Result<_, sqlx::Error>>()?)
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
