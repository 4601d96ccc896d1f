//! What an earlier request under the same key came to.

use domain::{Timestamp, ids::OrganizationId};
use sqlx::{PgConnection, PgPool, Row};

use crate::{IdempotencyKey, append::StoredResult};

/// Keys that are forgotten in one transaction: commands under a key wait for no more than that.
const FORGET_CHUNK: u64 = 5000;

pub(crate) enum Found {
    /// The same request, with its result.
    Same(StoredResult),
    /// The key was used for something else.
    Other,
}

pub(crate) async fn find(
    connection: &mut PgConnection,
    org: OrganizationId,
    key: &IdempotencyKey,
) -> Result<Option<Found>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT k.request_hash, k.aggregate_id, k.sequence,
                coalesce(e.position, 0) AS position
         FROM idempotency_keys k
         LEFT JOIN events e USING (aggregate_type, aggregate_id, sequence)
         WHERE k.org_id = $1 AND k.key = $2",
    )
    .bind(org.uuid())
    .bind(&key.key)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let hash: Vec<u8> = row.try_get("request_hash")?;
    if hash != key.request_hash {
        return Ok(Some(Found::Other));
    }
    Ok(Some(Found::Same(StoredResult {
        aggregate_id: row.try_get("aggregate_id")?,
        version: row.try_get::<i64, _>("sequence")? as u64,
        position: row.try_get::<i64, _>("position")? as u64,
    })))
}

/// Forgets the keys older than `before`, a chunk at a time; gives how many.
pub(crate) async fn forget(pool: &PgPool, before: Timestamp) -> Result<u64, sqlx::Error> {
    let mut forgotten = 0;
    loop {
        let done = sqlx::query(
            "DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
                 SELECT ctid FROM idempotency_keys WHERE recorded_at < $1 LIMIT $2))",
        )
        .bind(before)
        .bind(FORGET_CHUNK as i64)
        .execute(pool)
        .await?
        .rows_affected();
        forgotten += done;
        if done < FORGET_CHUNK {
            return Ok(forgotten);
        }
    }
}
