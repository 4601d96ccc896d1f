use domain::{Service, jobs::JobKind, scans::Scan};
use projections::{
    View,
    jobs::{JobRow, JobStatus, system},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{BATCH, Failure, Sweeper, note_job};
use crate::queue;
use crate::runtime::{JobAggregate, Standing, deadline_reason, tell};

#[derive(Debug, Clone, Copy)]
enum Verdict {
    Abandoned,
    Overdue,
}

impl Sweeper {
    pub(super) async fn abandon_expired(&mut self, view: &View) -> Result<(), Failure> {
        let sql = format!(
            "SELECT j.job_id, j.fence FROM {}.jobs j
             LEFT JOIN job_leases l ON l.fence = j.fence
             WHERE j.kind = ANY ($1) AND j.status = 'running'
               AND (l.fence IS NULL OR l.expires_at < clock_timestamp())
               AND j.job_id > $2
             ORDER BY j.job_id LIMIT $3",
            view.schema()
        );
        let expired: Vec<(String, Uuid)> = sqlx::query_as(&sql)
            .bind(JobKind::ALL.map(JobKind::as_str))
            .bind(self.expired.after())
            .bind(BATCH)
            .fetch_all(self.backbone.journal.pool())
            .await?;
        for (job, fence) in &expired {
            self.expired.pass(job);
            note_job(job, self.abandon(view, job, *fence).await);
        }
        self.expired.end_batch(expired.len());
        Ok(())
    }

    /// By the time since the lease was taken, as the database knows it: the deadline of the attempt
    /// is by the clock of its worker.
    pub(super) async fn fail_overdue(&mut self, view: &View) -> Result<(), Failure> {
        let sql = format!(
            "SELECT j.job_id, j.fence FROM {}.jobs j
             JOIN job_leases l ON l.fence = j.fence
             JOIN unnest($1::text[], $2::float8[]) AS k(kind, seconds) ON k.kind = j.kind
             WHERE j.status = 'running' AND j.job_id > $3
               AND l.taken_at < clock_timestamp() - make_interval(secs => k.seconds)
             ORDER BY j.job_id LIMIT $4",
            view.schema()
        );
        let grace = self.options.deadline_grace.as_secs_f64();
        let overdue: Vec<(String, Uuid)> = sqlx::query_as(&sql)
            .bind(JobKind::ALL.map(JobKind::as_str))
            .bind(JobKind::ALL.map(|kind| f64::from(kind.deadline_s()) + grace))
            .bind(self.overdue.after())
            .bind(BATCH)
            .fetch_all(self.backbone.journal.pool())
            .await?;
        for (job, fence) in &overdue {
            self.overdue.pass(job);
            note_job(job, self.end(view, job, *fence, Verdict::Overdue).await);
        }
        self.overdue.end_batch(overdue.len());
        Ok(())
    }

    async fn abandon(&self, view: &View, job: &str, fence: Uuid) -> Result<(), Failure> {
        match self.take_lease(fence).await? {
            true => self.end(view, job, fence, Verdict::Abandoned).await,
            false => Ok(()),
        }
    }

    /// False when its holder has renewed it after all. Without it the holder cannot renew it again.
    async fn take_lease(&self, fence: Uuid) -> Result<bool, sqlx::Error> {
        let pool = self.backbone.journal.pool();
        sqlx::query("DELETE FROM job_leases WHERE fence = $1 AND expires_at < clock_timestamp()")
            .bind(fence)
            .execute(pool)
            .await?;
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM job_leases WHERE fence = $1)")
            .bind(fence)
            .fetch_one(pool)
            .await
    }

    async fn end(
        &self,
        view: &View,
        job: &str,
        fence: Uuid,
        verdict: Verdict,
    ) -> Result<(), Failure> {
        let Some(job) = system::get(view, job).await? else { return Ok(()) };
        if (job.status, job.fence) != (JobStatus::Running, Some(fence)) {
            return Ok(());
        }
        match job.kind {
            JobKind::Scan => self.end_as::<Scan>(&job, fence, verdict).await,
        }
    }

    async fn end_as<A: JobAggregate>(
        &self,
        job: &JobRow,
        fence: Uuid,
        verdict: Verdict,
    ) -> Result<(), Failure> {
        let journal = &self.backbone.journal;
        let state = journal.state::<A>(job.org, &job.job_id).await?;
        let Some((state, _)) = state else { return Ok(()) };
        let now = journal.clock().now();
        let command = match verdict {
            Verdict::Abandoned => {
                A::abandon(fence, "its worker gave no more sign of life".to_owned(), now)
            }
            Verdict::Overdue => A::fail(fence, deadline_reason(state.deadline()), None, now),
        };
        let caller = queue::context(job, Service::Sweeper);
        // One try: the next look comes soon.
        let give_up = CancellationToken::new();
        give_up.cancel();
        match tell::tell::<A>(journal, &caller, &job.job_id, command, &give_up).await {
            Ok(()) => {}
            // It has ended by itself, which the queue does not show yet.
            Err(tell::Error::Refused(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        tracing::warn!(job = job.job_id, ?verdict, "a running attempt was ended");
        metrics::counter!("jobs_swept_total", "kind" => job.kind.as_str()).increment(1);
        let state = journal.state::<A>(job.org, &job.job_id).await?;
        if state.is_some_and(|(state, _)| state.standing() == Standing::Ended) {
            self.backbone.logs.end(job.org, &job.job_id).await;
        }
        Ok(())
    }

    /// Removes what nobody will ask for again.
    pub(super) async fn delete_stale(&self, view: &View) -> Result<(), Failure> {
        let pool = self.backbone.journal.pool();
        let sql = format!(
            "DELETE FROM job_leases l
             WHERE l.expires_at < clock_timestamp() - interval '1 minute'
               AND NOT EXISTS (SELECT FROM {}.jobs j
                               WHERE j.job_id = l.job_id AND j.fence = l.fence)",
            view.schema()
        );
        sqlx::query(&sql).execute(pool).await?;
        sqlx::query("DELETE FROM worker_slots WHERE expires_at < clock_timestamp()")
            .execute(pool)
            .await?;
        Ok(())
    }
}
