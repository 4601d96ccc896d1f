//! What the log knows about its stream.

use sqlx::{PgPool, Row};
use uuid::Uuid;

use domain::Timestamp;

/// Which log it is, and in which epoch of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub log_id: Uuid,
    pub epoch: i32,
}

pub async fn identity(pool: &PgPool) -> Result<Identity, sqlx::Error> {
    let row = sqlx::query("SELECT log_id, stream_epoch FROM log_head").fetch_one(pool).await?;
    Ok(Identity { log_id: row.try_get("log_id")?, epoch: row.try_get("stream_epoch")? })
}

/// The last position that the stream was known to hold.
pub async fn checkpoint(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let position: Option<i64> =
        sqlx::query_scalar("SELECT position FROM relay_state").fetch_optional(pool).await?;
    Ok(position.unwrap_or(0) as u64)
}

/// Of the stream of another epoch nothing is saved: a rebuild has given that one up.
pub async fn save_checkpoint(
    pool: &PgPool,
    identity: Identity,
    position: u64,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO relay_state (position, updated_at)
         SELECT $1, $2 FROM log_head WHERE stream_epoch = $3
         ON CONFLICT (one) DO UPDATE SET position = $1, updated_at = $2",
    )
    .bind(position as i64)
    .bind(now)
    .bind(identity.epoch)
    .execute(pool)
    .await?;
    Ok(())
}

/// Begins the next epoch; nothing is known of its stream yet.
pub async fn raise_epoch(pool: &PgPool) -> Result<Identity, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query("DELETE FROM relay_state").execute(&mut *transaction).await?;
    let row = sqlx::query(
        "UPDATE log_head SET stream_epoch = stream_epoch + 1 RETURNING log_id, stream_epoch",
    )
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Identity { log_id: row.try_get("log_id")?, epoch: row.try_get("stream_epoch")? })
}
