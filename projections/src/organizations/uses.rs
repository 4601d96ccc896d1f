use domain::{Timestamp, ids::ApiKeyId};
use sqlx::PgPool;

/// When a key was used last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    pub key: ApiKeyId,
    pub at: Timestamp,
}

/// Notes the last uses of keys, each at most once. Replicas may note them in any order.
pub async fn record_uses(pool: &PgPool, uses: &[KeyUse]) -> Result<(), sqlx::Error> {
    // In one order, so that two replicas never wait for each other.
    let mut uses = uses.to_vec();
    uses.sort_unstable_by_key(|used| used.key);
    let keys: Vec<_> = uses.iter().map(|used| used.key.uuid()).collect();
    let times: Vec<_> = uses.iter().map(|used| used.at).collect();
    sqlx::query(
        "INSERT INTO api_key_uses (key_id, last_used_at)
         SELECT * FROM unnest($1::uuid[], $2::timestamptz[])
         ON CONFLICT (key_id) DO UPDATE
         SET last_used_at = greatest(api_key_uses.last_used_at, excluded.last_used_at)",
    )
    .bind(keys)
    .bind(times)
    .execute(pool)
    .await?;
    Ok(())
}
