use std::time::Duration;

use chrono::TimeDelta;
use journal::Journal;
use tokio_util::sync::CancellationToken;

const PAUSE: Duration = Duration::from_secs(3600);
/// A client that repeats a request repeats it long before.
const KEYS_KEPT: TimeDelta = TimeDelta::days(7);

/// Forgets what nobody asks for any more.
pub async fn run(journal: Journal, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        let before = journal.clock().now() - KEYS_KEPT;
        match journal.forget_idempotency_keys(before).await {
            Ok(0) => {}
            Ok(keys) => tracing::info!(keys, "forgot old idempotency keys"),
            Err(error) => tracing::warn!(%error, "old idempotency keys are still there"),
        }
        match projections::organizations::forget_nonces(journal.pool(), journal.clock().now()).await
        {
            Ok(0) => {}
            Ok(nonces) => tracing::info!(nonces, "forgot nonces of old signatures"),
            Err(error) => tracing::warn!(%error, "nonces of old signatures are still there"),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
