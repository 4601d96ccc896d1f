use std::time::Duration;

use domain::jobs::JobKind;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

/// Tells dispatchers how many jobs this worker can run, until it is told to stop.
pub(super) async fn keep(
    pool: PgPool,
    worker: String,
    kind: JobKind,
    slots: usize,
    lease: Duration,
    stop: CancellationToken,
) {
    loop {
        if let Err(error) = register(&pool, &worker, kind, slots, lease).await {
            tracing::warn!(%error, worker, "the slots of this worker could not be registered");
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(lease / 3) => {}
        }
    }
    let removed = sqlx::query("DELETE FROM worker_slots WHERE worker = $1 AND kind = $2")
        .bind(&worker)
        .bind(kind.as_str())
        .execute(&pool)
        .await;
    if let Err(error) = removed {
        tracing::warn!(%error, worker, "the slots of this worker are left to expire");
    }
}

async fn register(
    pool: &PgPool,
    worker: &str,
    kind: JobKind,
    slots: usize,
    lease: Duration,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO worker_slots (worker, kind, slots, expires_at)
         VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
         ON CONFLICT (worker, kind) DO UPDATE
         SET slots = excluded.slots, expires_at = excluded.expires_at",
    )
    .bind(worker)
    .bind(kind.as_str())
    .bind(i32::try_from(slots).unwrap_or(i32::MAX))
    .bind(lease.as_secs_f64())
    .execute(pool)
    .await?;
    Ok(())
}

/// How many workers gave a sign of life lately.
pub async fn alive(pool: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(DISTINCT worker) FROM worker_slots WHERE expires_at > clock_timestamp()",
    )
    .fetch_one(pool)
    .await
}
