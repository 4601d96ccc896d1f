//! The log as it lies in its table.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use super::Verdict;
use crate::subscribers::{ENDS, Filter, REQUEST};

#[derive(Debug, Clone)]
pub struct Entry {
    pub position: i64,
    pub event_id: Uuid,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub sequence: i64,
    pub event_type: String,
    pub payload_text: String,
    pub payload: Value,
    pub recorded_at: DateTime<Utc>,
    pub actor: String,
    pub request_id: Option<String>,
    /// Of the attempt that wrote it.
    pub fence: Option<String>,
}

pub async fn read_log(pool: &PgPool) -> Result<Vec<Entry>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT position, event_id, aggregate_type, aggregate_id, sequence, event_type,
                payload::text AS payload, recorded_at, actor,
                metadata ->> 'request_id' AS request_id, metadata ->> 'fence' AS fence
         FROM events ORDER BY position",
    )
    .fetch_all(pool)
    .await?;
    rows.iter().map(Entry::from_row).collect()
}

impl Entry {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let payload_text: String = row.try_get("payload")?;
        Ok(Self {
            position: row.try_get("position")?,
            event_id: row.try_get("event_id")?,
            aggregate_type: row.try_get("aggregate_type")?,
            aggregate_id: row.try_get("aggregate_id")?,
            sequence: row.try_get("sequence")?,
            event_type: row.try_get("event_type")?,
            payload: serde_json::from_str(&payload_text).unwrap(),
            payload_text,
            recorded_at: row.try_get("recorded_at")?,
            actor: row.try_get("actor")?,
            request_id: row.try_get("request_id")?,
            fence: row.try_get("fence")?,
        })
    }

    /// Whether a client gave the command over HTTP.
    pub fn is_of_client(&self) -> bool {
        self.actor.starts_with("api_key:")
    }

    /// Whether a subscriber with the filter gets it. `own` is the id of the load's organisation,
    /// whose scans are the only ones.
    pub fn is_of(&self, filter: Filter, own: &str) -> bool {
        let in_organization = self.aggregate_type == "scan" || self.aggregate_id == own;
        match filter {
            Filter::All => true,
            Filter::Organization => in_organization,
            Filter::Ends => in_organization && ENDS.contains(&self.event_type.as_str()),
            Filter::Own => self.aggregate_id == own,
            Filter::Requests => self.event_type == REQUEST,
        }
    }
}

/// Positions without holes, times that never go back, sequences without holes, and streams and head
/// that agree with the events.
pub async fn check(pool: &PgPool, log: &[Entry], verdict: &mut Verdict) -> Result<(), sqlx::Error> {
    verdict.topic("the log has no holes and never goes back in time");
    for (expected, entry) in (1..).zip(log) {
        verdict.holds(entry.position == expected, || {
            format!("at place {expected} of the log stands position {}", entry.position)
        });
    }
    for pair in log.windows(2) {
        verdict.holds(pair[0].recorded_at <= pair[1].recorded_at, || {
            format!("position {} was recorded before the one before it", pair[1].position)
        });
    }
    let ids: HashSet<Uuid> = log.iter().map(|entry| entry.event_id).collect();
    verdict.holds(ids.len() == log.len(), || "two events share an id".to_owned());
    let head: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await?;
    verdict.holds(head == log.len() as i64, || format!("the head is {head} of {}", log.len()));

    verdict.topic("versions of aggregates are those of their last events");
    let mut versions: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for entry in log {
        let version = versions.entry((&entry.aggregate_type, &entry.aggregate_id)).or_default();
        *version += 1;
        verdict.holds(entry.sequence == *version, || {
            format!("{} has {} where {version} is due", entry.aggregate_id, entry.sequence)
        });
    }
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT aggregate_type, aggregate_id, version FROM streams")
            .fetch_all(pool)
            .await?;
    verdict.holds(rows.len() == versions.len(), || {
        format!("{} streams for {} aggregates", rows.len(), versions.len())
    });
    for (kind, id, version) in &rows {
        let last = versions.get(&(kind.as_str(), id.as_str()));
        verdict.holds(last == Some(version), || {
            format!("the stream of {id} has version {version}, its events end at {last:?}")
        });
    }
    Ok(())
}
