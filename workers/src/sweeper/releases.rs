use domain::{ids::OrganizationId, jobs::JobKind, scans::Scan};
use sqlx::Row;

use super::{BATCH, Failure, Sweeper, note_job};
use crate::runtime::{JobAggregate, Standing};

/// The last published release of a job that the queue still shows as waiting.
struct Release {
    job: String,
    attempt: i32,
    kind: JobKind,
    org: OrganizationId,
    release: i64,
    sequence: u64,
}

impl Sweeper {
    /// Has releases published again whose message is gone.
    pub(super) async fn release_lost(&mut self) -> Result<(), Failure> {
        let releases = self.published().await?;
        for release in &releases {
            self.released.pass(&release.job);
            // If NATS does not answer, the next look goes on with the release after this one.
            if !self.backbone.jobs.holds(release.sequence).await? {
                note_job(&release.job, self.repair(release).await);
            }
        }
        self.released.end_batch(releases.len());
        Ok(())
    }

    async fn repair(&self, release: &Release) -> Result<(), Failure> {
        // The queue may lag: only the log knows whether the attempt really waits.
        let waits = match release.kind {
            JobKind::Scan => self.waits::<Scan>(release).await?,
        };
        if waits {
            self.release_again(release).await?;
        }
        Ok(())
    }

    async fn published(&self) -> Result<Vec<Release>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT DISTINCT ON (job_id)
                    job_id, attempt, kind, org_id, release, stream_sequence FROM job_releases
             WHERE kind = ANY ($1) AND job_id > $2 AND stream_sequence IS NOT NULL
               AND published_at < clock_timestamp() - make_interval(secs => $3)
             ORDER BY job_id, attempt DESC LIMIT $4",
        )
        .bind(JobKind::ALL.map(JobKind::as_str))
        .bind(self.released.after())
        .bind(self.options.release_grace.as_secs_f64())
        .bind(BATCH)
        .fetch_all(self.backbone.journal.pool())
        .await?;
        let mut releases = Vec::with_capacity(rows.len());
        for row in rows {
            let kind: String = row.try_get("kind")?;
            let Some(kind) = JobKind::parse(&kind) else { continue };
            releases.push(Release {
                job: row.try_get("job_id")?,
                attempt: row.try_get("attempt")?,
                kind,
                org: OrganizationId::from_uuid(row.try_get("org_id")?),
                release: row.try_get("release")?,
                sequence: row.try_get::<i64, _>("stream_sequence")?.unsigned_abs(),
            });
        }
        Ok(releases)
    }

    async fn waits<A: JobAggregate>(&self, release: &Release) -> Result<bool, Failure> {
        let Some((state, _)) = self.backbone.journal.state::<A>(release.org, &release.job).await?
        else {
            return Ok(false);
        };
        let attempt = release.attempt.unsigned_abs();
        Ok(matches!(state.standing(), Standing::Waiting { attempt: now, .. } if now == attempt))
    }

    /// The dispatcher does the publishing; here it is only asked for.
    async fn release_again(&self, release: &Release) -> Result<(), sqlx::Error> {
        tracing::warn!(
            job = release.job,
            attempt = release.attempt,
            "the message of a job was lost; it is released again"
        );
        metrics::counter!("job_messages_lost_total", "kind" => release.kind.as_str()).increment(1);
        sqlx::query(
            "UPDATE job_releases
             SET release = release + 1, stream_sequence = NULL, published_at = NULL,
                 publish_until = clock_timestamp()
             WHERE job_id = $1 AND attempt = $2 AND release = $3",
        )
        .bind(&release.job)
        .bind(release.attempt)
        .bind(release.release)
        .execute(self.backbone.journal.pool())
        .await?;
        Ok(())
    }
}
