//! Reads of scans.

use domain::{
    ids::{OrganizationId, ScanId},
    scans::{Profile, ScanStatus},
};
use sqlx::{Postgres, QueryBuilder, Row, postgres::PgRow, types::Json};

use super::row::{STATES, ScanRow, profile_name};
use crate::{
    Page, QueryError, Slice, TenantScope, View,
    cursor::{self, List},
    query::unreadable,
};

pub(super) const COLUMNS: &str = "scan_id, org_id, state, target, profile, engines, attempt,
    counts, suppressed, findings, warnings, complete, cancel_requested, requested_by,
    requested_at, not_before, started_at, deadline, finished_at, reason, sequence,
    requested_position, position";

/// Which scans to list. Empty means all.
#[derive(Debug, Clone, Default)]
pub struct ScanFilter {
    pub states: Vec<ScanStatus>,
    /// `repository` or `website`.
    pub target_kind: Option<String>,
}

/// One scan; none when the organisation has no such scan.
pub async fn get(
    scope: TenantScope,
    view: &View,
    id: ScanId,
) -> Result<Option<ScanRow>, QueryError> {
    let schema = view.schema();
    let query = format!("SELECT {COLUMNS} FROM {schema}.scans WHERE scan_id = $1 AND org_id = $2");
    let row =
        sqlx::query(&query).bind(id.uuid()).bind(scope.0.uuid()).fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(ScanRow::from_row).transpose()?)
}

/// The scans of the organisation, newest first.
pub async fn list(
    scope: TenantScope,
    view: &View,
    filter: &ScanFilter,
    slice: Slice<'_>,
) -> Result<Page<ScanRow>, QueryError> {
    let mut query = QueryBuilder::<Postgres>::new(format!(
        "SELECT {COLUMNS} FROM {}.scans WHERE org_id = ",
        view.schema()
    ));
    query.push_bind(scope.0.uuid());
    if let Some(cursor) = slice.cursor {
        let [before] = cursor::decode(List::Scans, cursor)?;
        query.push(" AND requested_position < ").push_bind(before);
    }
    if !filter.states.is_empty() {
        let states: Vec<_> = filter.states.iter().map(|state| state.as_str()).collect();
        query.push(" AND state = ANY (").push_bind(states).push(")");
    }
    if let Some(kind) = &filter.target_kind {
        query.push(" AND target_kind = ").push_bind(kind);
    }
    query.push(" ORDER BY requested_position DESC LIMIT ").push_bind(slice.fetch());
    let rows = query.build().fetch_all(&view.pool).await?;
    let rows = rows.iter().map(ScanRow::from_row).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| {
        cursor::encode(List::Scans, [row.requested_position as i64])
    }))
}

impl ScanRow {
    pub(super) fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let state: &str = row.try_get("state")?;
        let profile: &str = row.try_get("profile")?;
        let Json(target) = row.try_get("target")?;
        let Json(engines) = row.try_get("engines")?;
        let Json(counts) = row.try_get("counts")?;
        let Json(warnings) = row.try_get("warnings")?;
        Ok(Self {
            org: OrganizationId::from_uuid(row.try_get("org_id")?),
            id: ScanId::from_uuid(row.try_get("scan_id")?),
            state: STATES
                .into_iter()
                .find(|known| known.as_str() == state)
                .ok_or_else(|| unreadable("state", state))?,
            target,
            profile: [Profile::Quick, Profile::Full]
                .into_iter()
                .find(|known| profile_name(*known) == profile)
                .ok_or_else(|| unreadable("profile", profile))?,
            engines,
            attempt: row.try_get::<i32, _>("attempt")? as u32,
            counts,
            suppressed: row.try_get::<i64, _>("suppressed")? as u64,
            findings: row.try_get::<i64, _>("findings")? as u64,
            warnings,
            complete: row.try_get("complete")?,
            cancel_requested: row.try_get("cancel_requested")?,
            requested_by: row.try_get("requested_by")?,
            requested_at: row.try_get("requested_at")?,
            not_before: row.try_get("not_before")?,
            started_at: row.try_get("started_at")?,
            deadline: row.try_get("deadline")?,
            finished_at: row.try_get("finished_at")?,
            reason: row.try_get("reason")?,
            sequence: row.try_get::<i64, _>("sequence")? as u64,
            requested_position: row.try_get::<i64, _>("requested_position")? as u64,
            position: row.try_get::<i64, _>("position")? as u64,
        })
    }
}
