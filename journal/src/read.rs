//! Reading the log by position.

use std::collections::BTreeMap;

use domain::{
    Event, Timestamp,
    event::{self, DecodeError},
    ids::OrganizationId,
};
use serde::de::DeserializeOwned;
use sqlx::{FromRow, PgExecutor, Postgres, QueryBuilder, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::{Journal, Payload};

/// Events in one page; more would hold memory without being faster.
pub const MAX_PAGE: u32 = 10_000;

/// An event as the log holds it.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub position: u64,
    pub event_id: Uuid,
    pub org: OrganizationId,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: u64,
    /// Full name, `scan.requested`.
    pub event_type: String,
    pub event_version: u32,
    pub payload: Payload,
    pub metadata: BTreeMap<String, String>,
    pub recorded_at: Timestamp,
    pub command_id: Uuid,
    pub correlation_id: Uuid,
    pub causation_id: Option<Uuid>,
    pub actor: String,
}

/// Which events to read. Empty means all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub org: Option<OrganizationId>,
    /// Type and id.
    pub aggregate: Option<(&'static str, String)>,
    /// Full names.
    pub event_types: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the log's database failed")]
    Database(#[from] sqlx::Error),
    #[error("the log has a hole: after position {after} comes {found}; it is corrupt")]
    Hole { after: u64, found: u64 },
}

impl Recorded {
    /// Today's events for what is stored.
    pub fn decode(&self) -> Result<Vec<Event>, DecodeError> {
        let payload = self.payload.get();
        Event::decode(&self.aggregate_type, &self.event_type, self.event_version, payload)
    }

    /// The same, for whoever knows the aggregate.
    pub fn decode_as<E: DeserializeOwned>(&self) -> Result<Vec<E>, DecodeError> {
        event::decode_as(&self.event_type, self.event_version, self.payload.get())
    }

    fn from_row(row: Row) -> Self {
        let (
            position,
            event_id,
            org,
            aggregate_type,
            aggregate_id,
            sequence,
            event_type,
            event_version,
            payload,
            Json(metadata),
            recorded_at,
            command_id,
            correlation_id,
            causation_id,
            actor,
        ) = row;
        Self {
            position: position as u64,
            event_id,
            org: OrganizationId::from_uuid(org),
            aggregate_type,
            aggregate_id,
            sequence: sequence as u64,
            event_type,
            // A version that is no number is unknown to every upcaster, and reported by them.
            event_version: event_version.parse().unwrap_or(0),
            payload,
            metadata,
            recorded_at,
            command_id,
            correlation_id,
            causation_id,
            actor,
        }
    }
}

const COLUMNS: &str = "position, event_id, org_id, aggregate_type, aggregate_id, sequence,
    event_type, event_version, payload, metadata, recorded_at, command_id, correlation_id,
    causation_id, actor";

/// The columns by their places: to look each up by its name takes longer than to read it.
type Row = (
    i64,
    Uuid,
    Uuid,
    String,
    String,
    i64,
    String,
    String,
    Payload,
    Json<BTreeMap<String, String>>,
    Timestamp,
    Uuid,
    Uuid,
    Option<Uuid>,
    String,
);

/// Reads events after a position, in order, and proves that none is missing.
async fn read_all(
    executor: impl PgExecutor<'_>,
    after: u64,
    limit: u32,
) -> Result<Vec<Recorded>, ReadError> {
    let events = query(executor, after, &Filter::default(), limit).await?;
    whole(events, after, |event| event.position)
}

/// The same, of no more events than weigh so many bytes as they are stored. The first one is read
/// whatever it weighs.
pub async fn read_within(
    executor: impl PgExecutor<'_>,
    after: u64,
    limit: u32,
    bytes: u64,
) -> Result<Vec<Recorded>, ReadError> {
    let rows = rows_within(executor, COLUMNS, after, limit, bytes).await?;
    whole(rows.into_iter().map(Recorded::from_row).collect(), after, |event| event.position)
}

/// The same, of some columns only.
pub(crate) async fn rows_within<R>(
    executor: impl PgExecutor<'_>,
    columns: &str,
    after: u64,
    limit: u32,
    bytes: u64,
) -> Result<Vec<R>, sqlx::Error>
where
    R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    sqlx::query_as(&format!(
        "SELECT {columns} FROM (
             SELECT {columns},
                    sum(pg_column_size(payload))
                        OVER (ORDER BY position ROWS UNBOUNDED PRECEDING)
                    - pg_column_size(payload) AS before
             FROM events WHERE position > $1 ORDER BY position LIMIT $2
         ) e WHERE before = 0 OR before < $3 ORDER BY position"
    ))
    .bind(stored(after))
    .bind(i64::from(limit.min(MAX_PAGE)))
    .bind(stored(bytes))
    .fetch_all(executor)
    .await
}

/// Proves that no position is missing.
pub(crate) fn whole<E>(
    events: Vec<E>,
    after: u64,
    position: impl Fn(&E) -> u64,
) -> Result<Vec<E>, ReadError> {
    for (event, expected) in events.iter().zip(after.saturating_add(1)..) {
        let found = position(event);
        if found != expected {
            return Err(ReadError::Hole { after: expected - 1, found });
        }
    }
    Ok(events)
}

/// Where the events of these types stand between two positions, the latter included.
pub async fn positions_of(
    executor: impl PgExecutor<'_>,
    after: u64,
    up_to: u64,
    event_types: &[&str],
) -> Result<Vec<(u64, String)>, sqlx::Error> {
    let found: Vec<(i64, String)> = sqlx::query_as(
        "SELECT position, event_type FROM events
         WHERE position > $1 AND position <= $2 AND event_type = ANY ($3) ORDER BY position",
    )
    .bind(stored(after))
    .bind(stored(up_to))
    .bind(event_types)
    .fetch_all(executor)
    .await?;
    Ok(found.into_iter().map(|(position, name)| (position as u64, name)).collect())
}

/// As the database holds it. No event stands behind the last position that it can hold.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn query(
    executor: impl PgExecutor<'_>,
    after: u64,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Recorded>, ReadError> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(COLUMNS).push(" FROM events WHERE position > ").push_bind(stored(after));
    if let Some(org) = filter.org {
        query.push(" AND org_id = ").push_bind(org.uuid());
    }
    if let Some((aggregate_type, id)) = &filter.aggregate {
        query.push(" AND aggregate_type = ").push_bind(*aggregate_type);
        query.push(" AND aggregate_id = ").push_bind(id);
        if after > 0 {
            // The next page begins behind the last event of the one before, and passes over no other.
            query.push(" AND sequence > COALESCE((SELECT sequence FROM events WHERE position = ");
            query.push_bind(stored(after));
            query.push(" AND aggregate_type = ").push_bind(*aggregate_type);
            query.push(" AND aggregate_id = ").push_bind(id).push("), 0)");
        }
    }
    if !filter.event_types.is_empty() {
        query.push(" AND event_type = ANY (").push_bind(&filter.event_types).push(")");
    }
    // The events of one aggregate are few, and stand together in the order of their sequence.
    query.push(if filter.aggregate.is_some() {
        " ORDER BY sequence"
    } else {
        " ORDER BY position"
    });
    query.push(" LIMIT ").push_bind(i64::from(limit.min(MAX_PAGE)));
    let rows = query.build_query_as().fetch_all(executor).await?;
    Ok(rows.into_iter().map(Recorded::from_row).collect())
}

impl Journal {
    /// Events after a position that match, in order. Without a filter a hole is an error.
    pub async fn read(
        &self,
        after: u64,
        filter: &Filter,
        limit: u32,
    ) -> Result<Vec<Recorded>, ReadError> {
        let unfiltered =
            filter.org.is_none() && filter.aggregate.is_none() && filter.event_types.is_empty();
        if unfiltered {
            return read_all(&self.inner.pool, after, limit).await;
        }
        query(&self.inner.pool, after, filter, limit).await
    }

    /// One event by its position.
    pub async fn at(&self, position: u64) -> Result<Option<Recorded>, ReadError> {
        let Some(after) = position.checked_sub(1) else { return Ok(None) };
        let page = query(&self.inner.pool, after, &Filter::default(), 1).await?;
        Ok(page.into_iter().next().filter(|event| event.position == position))
    }

    /// Position of the last event in the log, asked of the database.
    pub async fn head(&self) -> Result<u64, sqlx::Error> {
        let head: i64 =
            sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&self.inner.pool).await?;
        self.announce(head as u64);
        Ok(head as u64)
    }
}
