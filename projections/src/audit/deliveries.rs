//! How far each collector has been sent its log: kept beside the log, as it is about the moment.

use std::{collections::HashMap, time::Duration};

use domain::{Timestamp, ids::SinkId};
use sqlx::{PgPool, Row, postgres::types::PgInterval};
use uuid::Uuid;

/// Longest error that is kept.
const MAX_ERROR_CHARS: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Everything up to here has arrived, and maybe more.
    pub position: u64,
    pub entries: u64,
    /// Since something last arrived.
    pub tries: u32,
    pub last_error: Option<String>,
    pub failed_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub next_try_at: Timestamp,
}

/// Of those collectors that were tried at least once.
pub async fn deliveries(
    pool: &PgPool,
    sinks: &[SinkId],
) -> Result<HashMap<SinkId, Delivery>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT sink_id, position, entries, tries, last_error, failed_at, delivered_at, next_try_at
         FROM audit_deliveries WHERE sink_id = ANY ($1)",
    )
    .bind(uuids(sinks))
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            let delivery = Delivery {
                position: row.try_get::<i64, _>("position")? as u64,
                entries: row.try_get::<i64, _>("entries")? as u64,
                tries: row.try_get::<i32, _>("tries")? as u32,
                last_error: row.try_get("last_error")?,
                failed_at: row.try_get("failed_at")?,
                delivered_at: row.try_get("delivered_at")?,
                next_try_at: row.try_get("next_try_at")?,
            };
            Ok((SinkId::from_uuid(row.try_get("sink_id")?), delivery))
        })
        .collect()
}

/// Takes a collector that is due for so long; gives the position after which to send, and how often
/// that failed. None when another process sends, or it is not due.
pub async fn claim(
    pool: &PgPool,
    sink: SinkId,
    since: u64,
    lease: Duration,
) -> Result<Option<(u64, u32)>, sqlx::Error> {
    let row = sqlx::query(
        "INSERT INTO audit_deliveries AS d (sink_id, position, lease_until)
         VALUES ($1, $2, clock_timestamp() + $3)
         ON CONFLICT (sink_id) DO UPDATE SET lease_until = clock_timestamp() + $3
         WHERE d.lease_until < clock_timestamp() AND d.next_try_at <= clock_timestamp()
         RETURNING position, tries",
    )
    .bind(sink.uuid())
    .bind(since as i64)
    .bind(interval(lease))
    .fetch_optional(pool)
    .await?;
    let found = |row: sqlx::postgres::PgRow| -> Result<_, sqlx::Error> {
        Ok((row.try_get::<i64, _>("position")? as u64, row.try_get::<i32, _>("tries")? as u32))
    };
    row.map(found).transpose()
}

/// Everything up to the position has arrived, and the sender goes on for so long.
pub async fn delivered(
    pool: &PgPool,
    sink: SinkId,
    position: u64,
    entries: usize,
    lease: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE audit_deliveries
         SET position = greatest(position, $2), entries = entries + $3, tries = 0,
             last_error = NULL, lease_until = clock_timestamp() + $4,
             delivered_at = CASE WHEN $3 > 0 THEN clock_timestamp() ELSE delivered_at END
         WHERE sink_id = $1",
    )
    .bind(sink.uuid())
    .bind(position as i64)
    .bind(entries as i64)
    .bind(interval(lease))
    .execute(pool)
    .await?;
    Ok(())
}

/// It did not work, and is tried again after the delay.
pub async fn failed(
    pool: &PgPool,
    sink: SinkId,
    error: &str,
    delay: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE audit_deliveries
         SET tries = tries + 1, last_error = $2, failed_at = clock_timestamp(),
             next_try_at = clock_timestamp() + $3, lease_until = '-infinity'
         WHERE sink_id = $1",
    )
    .bind(sink.uuid())
    .bind(error.chars().take(MAX_ERROR_CHARS).collect::<String>().replace('\0', "\u{fffd}"))
    .bind(interval(delay))
    .execute(pool)
    .await?;
    Ok(())
}

/// Others may send to it.
pub async fn release(pool: &PgPool, sink: SinkId) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE audit_deliveries SET lease_until = '-infinity' WHERE sink_id = $1")
        .bind(sink.uuid())
        .execute(pool)
        .await?;
    Ok(())
}

/// Forgets all other collectors.
pub async fn forget_others(pool: &PgPool, sinks: &[SinkId]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM audit_deliveries WHERE sink_id <> ALL ($1)")
        .bind(uuids(sinks))
        .execute(pool)
        .await?;
    Ok(())
}

fn uuids(sinks: &[SinkId]) -> Vec<Uuid> {
    sinks.iter().map(SinkId::uuid).collect()
}

fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
