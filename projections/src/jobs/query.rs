//! What a user may ask of the queue.

use domain::{ids::OrganizationId, jobs::JobKind};
use sqlx::{Row, postgres::PgRow};

use super::row::{COLUMNS, JobRow, JobStatus, kind};
use crate::{QueryError, TenantScope, View};

/// Where a waiting job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Waiting jobs of the same organisation and kind that are released before it: those of higher
    /// priority, and those of its own that came earlier. Organisations take turns, so jobs of others do
    /// not push it back in this order.
    pub ahead: u64,
}

/// One job; none when it has ended or is not one of the organisation's.
pub async fn get(
    scope: TenantScope,
    view: &View,
    job_id: &str,
) -> Result<Option<JobRow>, QueryError> {
    let query =
        format!("SELECT {COLUMNS} FROM {}.jobs WHERE job_id = $1 AND org_id = $2", view.schema());
    let row =
        sqlx::query(&query).bind(job_id).bind(scope.0.uuid()).fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(JobRow::from_row).transpose()?)
}

/// How far ahead is counted: farther back a place tells little, and counting on would take longer the
/// longer the queue is.
const FARTHEST: i64 = 1000;

/// The place of a job in the queue; none when it is not waiting, or more than [`FARTHEST`] are before it.
pub async fn place(
    scope: TenantScope,
    view: &View,
    job_id: &str,
) -> Result<Option<Place>, QueryError> {
    let Some(job) = get(scope, view, job_id).await? else { return Ok(None) };
    if job.status != JobStatus::Queued {
        return Ok(None);
    }
    let query = format!(
        "SELECT count(*) AS ahead FROM (
             SELECT FROM {}.jobs
             WHERE kind = $1 AND status = 'queued' AND org_id = $2
               AND (rank, queued_position) < ($3, $4)
             LIMIT $5
         ) AS before",
        view.schema()
    );
    let row = sqlx::query(&query)
        .bind(job.kind.as_str())
        .bind(scope.0.uuid())
        .bind(job.priority.rank())
        .bind(job.queued_position as i64)
        .bind(FARTHEST + 1)
        .fetch_one(&view.pool)
        .await?;
    let ahead: i64 = row.try_get("ahead")?;
    Ok((ahead <= FARTHEST).then_some(Place { ahead: ahead as u64 }))
}

/// Whose jobs are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Organization(OrganizationId),
    /// Whoever asked for them, in whatever organisation, as [`JobRow::requested_by`] names them.
    Requesters(Vec<String>),
}

/// Jobs that wait, at most `limit` of them: for operators.
pub async fn waiting(
    view: &View,
    whose: &Whose,
    limit: u32,
) -> Result<Vec<(OrganizationId, JobKind, String)>, QueryError> {
    let (org, requesters) = match whose {
        Whose::Organization(org) => (Some(org.uuid()), None),
        Whose::Requesters(requesters) => (None, Some(requesters.as_slice())),
    };
    let query = format!(
        "SELECT org_id, kind, job_id FROM {}.jobs
         WHERE status = 'queued' AND (org_id = $1 OR requested_by = ANY ($2))
         ORDER BY queued_position LIMIT $3",
        view.schema()
    );
    let query = sqlx::query(&query).bind(org).bind(requesters).bind(i64::from(limit));
    let rows = query.fetch_all(&view.pool).await?;
    let job = |row: &PgRow| -> Result<_, sqlx::Error> {
        let org = OrganizationId::from_uuid(row.try_get("org_id")?);
        Ok((org, kind(row.try_get("kind")?)?, row.try_get("job_id")?))
    };
    Ok(rows.iter().map(job).collect::<Result<_, _>>()?)
}
