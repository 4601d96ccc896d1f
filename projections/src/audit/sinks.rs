//! The collectors that audit logs are sent to.

use std::collections::BTreeMap;

use domain::{
    Event, Timestamp,
    audit::{self, AuditEvent, SinkFormat},
    ids::{OrganizationId, SinkId},
};
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{
    QueryError, TenantScope, View,
    event::{LogEvent, storable},
    fault::Fault,
    query::unreadable,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkRow {
    pub sink: SinkId,
    pub org: OrganizationId,
    pub url: String,
    pub format: SinkFormat,
    pub header: String,
    /// Sealed.
    pub token: Option<String>,
    /// Entries after this position are sent.
    pub since: u64,
    pub set_at: Timestamp,
}

const COLUMNS: &str = "sink_id, org_id, url, format, header, token, since, set_at";

/// The collectors of the organisation, oldest first.
pub async fn sinks(scope: TenantScope, view: &View) -> Result<Vec<SinkRow>, QueryError> {
    let query =
        format!("SELECT {COLUMNS} FROM {}.sinks WHERE org_id = $1 ORDER BY sink_id", view.schema());
    let rows = sqlx::query(&query).bind(scope.0.uuid()).fetch_all(&view.pool).await?;
    Ok(rows.iter().map(sink).collect::<Result<_, _>>()?)
}

/// Those of all organisations: for whoever sends to them.
pub async fn all_sinks(view: &View) -> Result<Vec<SinkRow>, QueryError> {
    let query = format!("SELECT {COLUMNS} FROM {}.sinks ORDER BY sink_id", view.schema());
    let rows = sqlx::query(&query).fetch_all(&view.pool).await?;
    Ok(rows.iter().map(sink).collect::<Result<_, _>>()?)
}

fn sink(row: &PgRow) -> Result<SinkRow, sqlx::Error> {
    let format: &str = row.try_get("format")?;
    let found = SinkFormat::ALL.into_iter().find(|known| known.as_str() == format);
    Ok(SinkRow {
        sink: SinkId::from_uuid(row.try_get("sink_id")?),
        org: OrganizationId::from_uuid(row.try_get("org_id")?),
        url: row.try_get("url")?,
        format: found.ok_or_else(|| unreadable("format", format))?,
        header: row.try_get("header")?,
        token: row.try_get("token")?,
        since: row.try_get::<i64, _>("since")? as u64,
        set_at: row.try_get("set_at")?,
    })
}

/// What the events of a batch come to for one collector.
struct Change<'a> {
    event: &'a LogEvent,
    change: &'a AuditEvent,
    /// Of the first that set it.
    since: i64,
    /// Whatever there was before was removed.
    anew: bool,
}

impl<'a> Change<'a> {
    fn after(earlier: Option<&Self>, event: &'a LogEvent, change: &'a AuditEvent) -> Self {
        let since = event.position() as i64 - 1;
        match earlier {
            Some(Change { change: AuditEvent::SinkSet { .. }, since, anew, .. }) => {
                Self { event, change, since: *since, anew: *anew }
            }
            Some(_) => Self { event, change, since, anew: true },
            None => Self { event, change, since, anew: false },
        }
    }
}

/// Writes what the events of a batch come to, collector by collector.
pub(super) async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    events: &[&LogEvent],
) -> Result<(), Fault> {
    let mut last: BTreeMap<SinkId, Change<'_>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.recorded.aggregate_type == audit::TYPE) {
        for decoded in event.decode().unwrap_or_default() {
            let Event::Audit(change) = decoded else { continue };
            match change {
                AuditEvent::SinkSet { sink_id, .. } | AuditEvent::SinkRemoved { sink_id, .. } => {
                    let change = Change::after(last.get(sink_id), event, change);
                    last.insert(*sink_id, change);
                }
                AuditEvent::Exported { .. } => {}
            }
        }
    }
    for (id, Change { event, change, since, anew }) in last {
        let org = event.recorded.org.uuid();
        match change {
            AuditEvent::SinkSet { url, format, header, token, set_at, .. } => {
                let query = format!(
                    "INSERT INTO {schema}.sinks ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                     ON CONFLICT (sink_id) DO UPDATE
                     SET url = excluded.url, format = excluded.format, header = excluded.header,
                         token = excluded.token, set_at = excluded.set_at,
                         since = CASE WHEN $9 THEN excluded.since ELSE sinks.since END"
                );
                sqlx::query(&query)
                    .bind(id.uuid())
                    .bind(org)
                    .bind(storable(url))
                    .bind(format.as_str())
                    .bind(storable(header))
                    .bind(token.as_deref().map(storable))
                    .bind(since)
                    .bind(*set_at)
                    .bind(anew)
                    .execute(&mut *connection)
                    .await?;
            }
            AuditEvent::SinkRemoved { .. } => remove(connection, schema, org, id).await?,
            AuditEvent::Exported { .. } => {}
        }
    }
    Ok(())
}

async fn remove(
    connection: &mut PgConnection,
    schema: &str,
    org: Uuid,
    id: SinkId,
) -> Result<(), Fault> {
    let query = format!("DELETE FROM {schema}.sinks WHERE sink_id = $1 AND org_id = $2");
    sqlx::query(&query).bind(id.uuid()).bind(org).execute(connection).await?;
    Ok(())
}
