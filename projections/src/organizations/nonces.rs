use domain::{Timestamp, ids::ApiKeyId};
use sqlx::PgPool;

/// Whether nobody has used this nonce with the key before; nobody may then, until the signature is too
/// old anyway. All replicas ask the same table.
pub async fn take_nonce(
    pool: &PgPool,
    key: ApiKeyId,
    nonce_hash: &[u8; 32],
    kept_until: Timestamp,
) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query(
        "INSERT INTO signature_nonces (key_id, nonce_hash, kept_until) VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
    )
    .bind(key.uuid())
    .bind(nonce_hash.as_slice())
    .bind(kept_until)
    .execute(pool)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Forgets those of signatures that are too old; gives how many there were.
pub async fn forget_nonces(pool: &PgPool, now: Timestamp) -> Result<u64, sqlx::Error> {
    let query = sqlx::query("DELETE FROM signature_nonces WHERE kept_until < $1").bind(now);
    Ok(query.execute(pool).await?.rows_affected())
}
