use std::time::{Duration, Instant};

use domain::jobs::JobKind;
use sqlx::PgPool;
use uuid::Uuid;

/// The sign of life of one running attempt. Its times are those of the database, so the clocks of
/// the workers need not agree.
#[derive(Debug)]
pub(super) struct Lease {
    pool: PgPool,
    fence: Uuid,
    length: Duration,
    /// Until then nobody else can take the attempt for abandoned.
    holds_until: Instant,
}

impl Lease {
    /// Must be taken before the attempt is started: a running attempt without a lease is abandoned.
    pub async fn take(
        pool: &PgPool,
        fence: Uuid,
        job: &str,
        kind: JobKind,
        worker: &str,
        length: Duration,
    ) -> Result<Self, sqlx::Error> {
        let asked = Instant::now();
        sqlx::query(
            "INSERT INTO job_leases (fence, job_id, kind, worker, expires_at)
             VALUES ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))",
        )
        .bind(fence)
        .bind(job)
        .bind(kind.as_str())
        .bind(worker)
        .bind(length.as_secs_f64())
        .execute(pool)
        .await?;
        Ok(Self { pool: pool.clone(), fence, length, holds_until: asked + length })
    }

    pub fn holds_until(&self) -> Instant {
        self.holds_until
    }

    /// False when the lease is gone: somebody took the attempt for abandoned.
    pub async fn renew(&mut self) -> Result<bool, sqlx::Error> {
        let asked = Instant::now();
        let renewed = sqlx::query(
            "UPDATE job_leases SET expires_at = clock_timestamp() + make_interval(secs => $2)
             WHERE fence = $1",
        )
        .bind(self.fence)
        .bind(self.length.as_secs_f64())
        .execute(&self.pool)
        .await?;
        let held = renewed.rows_affected() == 1;
        if held {
            self.holds_until = asked + self.length;
        }
        Ok(held)
    }
}

/// Gives a lease up. One that cannot be given up expires.
pub(super) async fn give_up(pool: &PgPool, fence: Uuid) {
    let deleted =
        sqlx::query("DELETE FROM job_leases WHERE fence = $1").bind(fence).execute(pool).await;
    if let Err(error) = deleted {
        tracing::warn!(%error, "a lease is left to expire");
    }
}
