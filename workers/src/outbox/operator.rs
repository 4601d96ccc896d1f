//! The outbox as operators see it.

use domain::Timestamp;
use sqlx::PgPool;

/// Something that was not done yet.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Waiting {
    pub position: i64,
    pub event_type: String,
    pub tries: i32,
    pub due_at: Timestamp,
    pub error: Option<String>,
    /// Given up; it is tried again when somebody asks for it.
    pub dead: bool,
}

/// The oldest that were not done yet, or only those that were given up.
pub async fn list(pool: &PgPool, dead_only: bool, limit: u32) -> Result<Vec<Waiting>, sqlx::Error> {
    sqlx::query_as(
        "SELECT position, event_type, tries, due_at, error, dead FROM outbox
         WHERE dead OR NOT $1 ORDER BY position LIMIT $2",
    )
    .bind(dead_only)
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await
}

/// Has one tried again at once, with all its tries, or all that were given up. Gives how many.
pub async fn retry(pool: &PgPool, position: Option<u64>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE outbox SET dead = false, tries = 0, due_at = clock_timestamp()
         WHERE position = $1 OR ($1 IS NULL AND dead)",
    )
    .bind(position.map(|position| position as i64))
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Leaves one that was given up undone for good. Gives whether there was one.
pub async fn discard(pool: &PgPool, position: u64) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM outbox WHERE position = $1 AND dead")
        .bind(position as i64)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() > 0)
}
