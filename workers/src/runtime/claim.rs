use std::time::Duration;

use journal::{Context, jobs::JobPointer};
use projections::jobs::JobRow;
use tokio_util::sync::CancellationToken;
use tracing::Span;
use uuid::Uuid;

use super::lease::{self, Lease};
use super::{Handler, JobAggregate, JobContext, JobLog, Runtime, Standing, tell};
use crate::queue;

/// An attempt that is started and ours.
pub(super) struct Claimed {
    pub context: JobContext,
    pub lease: Lease,
    pub limit: Duration,
    pub span: Span,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl<H: Handler> Runtime<H> {
    /// Starts the attempt. `None` when it is not there to be started: it was started before, has
    /// ended, or the pointer leads nowhere.
    pub(super) async fn claim(&self, pointer: &JobPointer) -> Result<Option<Claimed>, Failure> {
        let (kind, backbone) = (H::Aggregate::KIND, &self.backbone);
        let queued = queue::get(&backbone.views, &pointer.job).await?;
        let Some(queued) = queued.filter(|job| job.kind == kind) else { return Ok(None) };
        let journal = &backbone.journal;
        let state = journal.state::<H::Aggregate>(queued.org, &pointer.job).await?;
        let Some((state, _)) = state else { return Ok(None) };
        let Standing::Waiting { attempt, since } = state.standing() else { return Ok(None) };
        if attempt != pointer.attempt {
            return Ok(None);
        }
        let fence = journal.clock().new_id();
        let (worker, length) = (&self.options.worker, self.options.lease);
        let pool = journal.pool();
        let lease = Lease::take(pool, fence, &pointer.job, kind, worker, length).await?;
        let caller = queue::context_of_attempt(&queued, fence);
        if !self.start(&caller, pointer, fence).await? {
            return Ok(None);
        }
        if attempt > 1 {
            metrics::counter!("job_retries_total", "kind" => kind.as_str()).increment(1);
        }
        let now = journal.clock().now();
        if let Some(wait) = since.and_then(|since| (now - since).to_std().ok()) {
            metrics::histogram!("job_wait_seconds", "kind" => kind.as_str())
                .record(wait.as_secs_f64());
        }
        let limit = state.deadline();
        let context = JobContext {
            job: pointer.job.clone(),
            attempt,
            fence,
            org: queued.org,
            deadline: tokio::time::Instant::now() + limit,
            cancel: CancellationToken::new(),
            log: JobLog::open(journal.clone(), backbone.logs.clone(), queued.org, &pointer.job),
            journal: journal.clone(),
            caller,
        };
        let span = span(&queued, attempt);
        if let (Some(link), Some(parent)) =
            (self.options.trace_link, queued.metadata.get("traceparent"))
        {
            link(&span, parent);
        }
        Ok(Some(Claimed { context, lease, limit, span }))
    }

    /// False when another worker was faster.
    async fn start(
        &self,
        caller: &Context,
        pointer: &JobPointer,
        fence: Uuid,
    ) -> Result<bool, Failure> {
        let journal = &self.backbone.journal;
        let worker = self.options.worker.clone();
        let now = journal.clock().now();
        let command = H::Aggregate::start(pointer.attempt, fence, worker, now);
        let never = CancellationToken::new();
        let told = tell::tell::<H::Aggregate>(journal, caller, &pointer.job, command, &never);
        // After that time the lease may have expired, and with it the right to the attempt.
        let told = tokio::time::timeout(self.options.lease / 2, told).await;
        if let Ok(Ok(())) = told {
            return Ok(true);
        }
        lease::give_up(journal.pool(), fence).await;
        match told {
            Ok(Err(tell::Error::Refused(_))) => Ok(false),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(())) | Err(_) => Err("the log could not be reached in time".into()),
        }
    }
}

fn span(queued: &JobRow, attempt: u32) -> Span {
    let text = |name: &str| queued.metadata.get(name).map_or("", String::as_str);
    // version-trace-parent-flags, as in W3C trace context.
    let trace_id = text("traceparent").split('-').nth(1).unwrap_or("");
    tracing::info_span!(
        "job",
        job = queued.job_id,
        attempt,
        org = %queued.org,
        request_id = text("request_id"),
        trace_id,
    )
}
