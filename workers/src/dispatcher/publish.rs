use domain::jobs::JobKind;
use futures::{StreamExt, stream};
use journal::jobs::JobPointer;

use super::Dispatcher;
use super::release::Release;

/// Published at the same time.
const IN_FLIGHT: usize = 16;

impl Dispatcher {
    /// Publishes releases, in order as far as it matters. One that cannot be published is taken up
    /// again when its time is over.
    pub(super) async fn publish_all(&self, kind: JobKind, releases: Vec<Release>) {
        stream::iter(releases)
            .map(|release| self.publish(kind, release))
            .buffered(IN_FLIGHT)
            .collect::<()>()
            .await;
    }

    async fn publish(&self, kind: JobKind, release: Release) {
        let Release { job, attempt, priority, release } = release;
        let pointer = JobPointer { job, attempt };
        let published = self.backbone.jobs.publish(kind, priority, &pointer, release).await;
        let sequence = match published {
            Ok(sequence) => sequence,
            Err(error) => {
                tracing::warn!(%error, job = pointer.job, "a job could not be published; trying again");
                return;
            }
        };
        if let Err(error) = self.record(&pointer, release, sequence).await {
            // It is published once more, which a claim finds out.
            tracing::warn!(%error, job = pointer.job, "a published job could not be recorded");
        }
    }

    async fn record(
        &self,
        pointer: &JobPointer,
        release: u64,
        sequence: u64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE job_releases SET stream_sequence = $4, published_at = clock_timestamp()
             WHERE job_id = $1 AND attempt = $2 AND release = $3",
        )
        .bind(&pointer.job)
        .bind(i32::try_from(pointer.attempt).unwrap_or(i32::MAX))
        .bind(i64::try_from(release).unwrap_or(i64::MAX))
        .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
        .execute(self.backbone.journal.pool())
        .await?;
        Ok(())
    }
}
