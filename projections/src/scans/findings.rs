//! Reads of the findings of one scan, most severe first.

use domain::{
    ids::ScanId,
    scans::{Engine, FindingStatus, Severity},
};
use futures::{Stream, TryStreamExt, stream};
use sqlx::{Postgres, QueryBuilder, Row, postgres::PgRow, types::Json};

use super::row::{FindingRow, rank};
use crate::{
    MAX_LIMIT, Page, QueryError, Slice, TenantScope, View,
    cursor::{self, List},
    query::unreadable,
};

/// Which findings to list. Empty means all.
#[derive(Debug, Clone, Default)]
pub struct FindingFilter {
    pub severities: Vec<Severity>,
    pub engines: Vec<Engine>,
    pub status: Option<FindingStatus>,
}

/// The findings of one scan: the most severe first, and those in the order they were found.
/// Nothing when the organisation has no such scan.
pub async fn findings(
    scope: TenantScope,
    view: &View,
    scan: ScanId,
    filter: &FindingFilter,
    slice: Slice<'_>,
) -> Result<Page<FindingRow>, QueryError> {
    let mut query = QueryBuilder::<Postgres>::new(format!(
        "SELECT number, engine, finding FROM {}.findings WHERE scan_id = ",
        view.schema()
    ));
    query.push_bind(scan.uuid());
    query.push(" AND org_id = ").push_bind(scope.0.uuid());
    if let Some(cursor) = slice.cursor {
        let [rank, number] = cursor::decode(List::Findings, cursor)?;
        query.push(" AND (rank, number) > (").push_bind(rank);
        query.push(", ").push_bind(number).push(")");
    }
    if !filter.severities.is_empty() {
        let ranks: Vec<_> = filter.severities.iter().map(|severity| rank(*severity)).collect();
        query.push(" AND rank = ANY (").push_bind(ranks).push(")");
    }
    if !filter.engines.is_empty() {
        let engines: Vec<_> = filter.engines.iter().map(|engine| engine.as_str()).collect();
        query.push(" AND engine = ANY (").push_bind(engines).push(")");
    }
    if let Some(status) = filter.status {
        query.push(" AND status = ").push_bind(status.as_str());
    }
    query.push(" ORDER BY rank, number LIMIT ").push_bind(slice.fetch());
    let rows = query.build().fetch_all(&view.pool).await?;
    let rows = rows.iter().map(FindingRow::from_row).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| {
        let key = [i64::from(rank(row.finding.severity)), row.number as i64];
        cursor::encode(List::Findings, key)
    }))
}

/// All findings that match, page by page, so that memory stays bounded whatever their number.
/// Those of a scan that has ended do not change in between.
pub fn stream_findings(
    scope: TenantScope,
    view: View,
    scan: ScanId,
    filter: FindingFilter,
) -> impl Stream<Item = Result<FindingRow, QueryError>> + Send + 'static {
    let first = Some(None::<String>);
    stream::try_unfold((first, view, filter), move |(next, view, filter)| async move {
        let Some(cursor) = next else { return Ok::<_, QueryError>(None) };
        let slice = Slice { limit: MAX_LIMIT, cursor: cursor.as_deref() };
        let page = findings(scope, &view, scan, &filter, slice).await?;
        let items = stream::iter(page.items.into_iter().map(Ok));
        Ok(Some((items, (page.next_cursor.map(Some), view, filter))))
    })
    .try_flatten()
}

impl FindingRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let engine: &str = row.try_get("engine")?;
        let Json(finding) = row.try_get("finding")?;
        Ok(Self {
            number: row.try_get::<i64, _>("number")? as u64,
            engine: Engine::parse(engine).ok_or_else(|| unreadable("engine", engine))?,
            finding,
        })
    }
}
