use std::time::Duration;

use sqlx::{PgPool, Row};

/// Longest reason kept.
const MAX_ERROR_CHARS: usize = 1000;

/// A row that this process may try.
pub struct Item {
    pub position: u64,
    pub event_type: String,
    /// This one included.
    pub tries: u32,
}

/// Takes rows that are due, those that wait longest first; nobody else tries them within the lease.
pub async fn claim(pool: &PgPool, limit: usize, lease: Duration) -> Result<Vec<Item>, sqlx::Error> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "UPDATE outbox o
         SET tries = o.tries + 1, due_at = clock_timestamp() + make_interval(secs => $2)
         FROM (SELECT position FROM outbox WHERE NOT dead AND due_at <= clock_timestamp()
               ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
         WHERE o.position = due.position RETURNING o.position, o.event_type, o.tries",
    )
    .bind(limit as i64)
    .bind(lease.as_secs_f64())
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Item {
                position: row.try_get::<i64, _>("position")? as u64,
                event_type: row.try_get("event_type")?,
                tries: row.try_get::<i32, _>("tries")? as u32,
            })
        })
        .collect()
}

pub async fn done(pool: &PgPool, position: u64) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM outbox WHERE position = $1")
        .bind(position as i64)
        .execute(pool)
        .await?;
    Ok(())
}

pub async fn put_off(
    pool: &PgPool,
    position: u64,
    error: &str,
    delay: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE outbox SET error = $2, due_at = clock_timestamp() + make_interval(secs => $3)
         WHERE position = $1",
    )
    .bind(position as i64)
    .bind(kept(error))
    .bind(delay.as_secs_f64())
    .execute(pool)
    .await?;
    Ok(())
}

pub async fn bury(pool: &PgPool, position: u64, error: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE outbox SET error = $2, dead = true WHERE position = $1")
        .bind(position as i64)
        .bind(kept(error))
        .execute(pool)
        .await?;
    Ok(())
}

/// Those that wait and those that were given up.
pub async fn count(pool: &PgPool) -> Result<(i64, i64), sqlx::Error> {
    sqlx::query_as(
        "SELECT count(*) FILTER (WHERE NOT dead), count(*) FILTER (WHERE dead) FROM outbox",
    )
    .fetch_one(pool)
    .await
}

/// Postgres holds no NUL.
fn kept(error: &str) -> String {
    error.chars().filter(|c| *c != '\0').take(MAX_ERROR_CHARS).collect()
}
