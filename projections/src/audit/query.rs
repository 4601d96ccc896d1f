use domain::{Timestamp, ids::OrganizationId};
use sqlx::{Postgres, QueryBuilder, Row, postgres::PgRow};
use uuid::Uuid;

use super::Changes;
use crate::{
    Page, QueryError, Reach, Slice, View,
    cursor::{self, List},
    query::unreadable,
};

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub position: u64,
    pub event_id: Uuid,
    pub org: OrganizationId,
    pub recorded_at: Timestamp,
    pub actor: String,
    pub on_behalf_of: Option<String>,
    pub event_type: String,
    pub operation: Option<String>,
    pub resource_kind: String,
    pub resource_id: String,
    /// None when they are too large to be shown here.
    pub changes: Option<Changes>,
    /// Under whose key the address and the program are sealed; none where they are plain.
    pub person: Option<Uuid>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    pub trace_id: Option<String>,
    pub correlation_id: Uuid,
    pub causation_id: Option<Uuid>,
}

/// Which entries. What is empty is asked of none.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub org: Option<OrganizationId>,
    /// As the log writes it, `user:<id>`.
    pub actor: Option<String>,
    pub resource_kind: Option<String>,
    pub resource_id: Option<String>,
    /// Types of events.
    pub actions: Vec<String>,
    pub request_id: Option<String>,
    pub from: Option<Timestamp>,
    /// Not this moment itself.
    pub until: Option<Timestamp>,
}

const COLUMNS: &str = "position, event_id, org_id, recorded_at, actor, on_behalf_of, event_type,
    operation, resource_kind, resource_id, changes, person, address, user_agent, request_id, trace_id,
    correlation_id, causation_id";

/// The entries within reach that are wanted, newest first.
pub async fn list(
    reach: Reach,
    view: &View,
    wanted: &Wanted,
    slice: Slice<'_>,
) -> Result<Page<Entry>, QueryError> {
    let [before] = match slice.cursor {
        Some(cursor) => cursor::decode(List::Audit, cursor)?,
        None => [i64::MAX],
    };
    let mut query = select(view, reach, wanted);
    query.push(" AND position < ").push_bind(before);
    query.push(" ORDER BY position DESC LIMIT ").push_bind(slice.fetch());
    let rows = query.build().fetch_all(&view.pool).await?;
    let rows = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| cursor::encode(List::Audit, [row.position as i64])))
}

/// The entries within reach after a position, oldest first: for whoever sends them on.
pub async fn after(
    reach: Reach,
    view: &View,
    position: u64,
    limit: u32,
) -> Result<Vec<Entry>, QueryError> {
    let wanted = Wanted::default();
    let mut query = select(view, reach, &wanted);
    query.push(" AND position > ").push_bind(position as i64);
    query.push(" ORDER BY position LIMIT ").push_bind(i64::from(limit));
    let rows = query.build().fetch_all(&view.pool).await?;
    Ok(rows.iter().map(entry).collect::<Result<_, _>>()?)
}

fn select<'a>(view: &View, reach: Reach, wanted: &'a Wanted) -> QueryBuilder<'a, Postgres> {
    let schema = view.schema();
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM {schema}.entries WHERE true"));
    // Both are asked, so that whoever wants another organisation's sees nothing.
    for org in reach.org().into_iter().chain(wanted.org) {
        query.push(" AND org_id = ").push_bind(org.uuid());
    }
    let texts = [
        ("actor", &wanted.actor),
        ("resource_kind", &wanted.resource_kind),
        ("resource_id", &wanted.resource_id),
        ("request_id", &wanted.request_id),
    ];
    for (column, text) in texts {
        if let Some(text) = text {
            query.push(format!(" AND {column} = ")).push_bind(text);
        }
    }
    if !wanted.actions.is_empty() {
        query.push(" AND event_type = ANY (").push_bind(&wanted.actions).push(")");
    }
    // Time never goes back in the log, so a moment is a position.
    for (moment, comparison) in [(wanted.from, ">="), (wanted.until, "<")] {
        let Some(moment) = moment else { continue };
        query.push(format!(
            " AND position {comparison} coalesce((SELECT position FROM {schema}.entries
              WHERE recorded_at >= "
        ));
        query.push_bind(moment);
        query.push(format!(" ORDER BY recorded_at, position LIMIT 1), {})", i64::MAX));
    }
    query
}

fn entry(row: &PgRow) -> Result<Entry, sqlx::Error> {
    let changes: Option<String> = row.try_get("changes")?;
    let changes = changes
        .map(|text| serde_json::from_str(&text).map_err(|error| unreadable("changes", error)));
    Ok(Entry {
        position: row.try_get::<i64, _>("position")? as u64,
        event_id: row.try_get("event_id")?,
        org: OrganizationId::from_uuid(row.try_get("org_id")?),
        recorded_at: row.try_get("recorded_at")?,
        actor: row.try_get("actor")?,
        on_behalf_of: row.try_get("on_behalf_of")?,
        event_type: row.try_get("event_type")?,
        operation: row.try_get("operation")?,
        resource_kind: row.try_get("resource_kind")?,
        resource_id: row.try_get("resource_id")?,
        changes: changes.transpose()?,
        person: row.try_get("person")?,
        address: row.try_get("address")?,
        user_agent: row.try_get("user_agent")?,
        request_id: row.try_get("request_id")?,
        trace_id: row.try_get("trace_id")?,
        correlation_id: row.try_get("correlation_id")?,
        causation_id: row.try_get("causation_id")?,
    })
}
