use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::{AckKind, Message};
use tokio::task::JoinError;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::Instrument;

use super::claim::Claimed;
use super::ending::{Cause, Ending};
use super::lease::{self, Lease};
use super::slot::answer;
use super::{Handler, JobAggregate, JobContext, JobError, Runtime, Standing};
use crate::Backbone;

/// A handler that was dropped ends at its next await; more than this is a bug in it.
const ABORT_GRACE: Duration = Duration::from_secs(1);
/// An object store that takes longer does not hold up the next job.
const ARCHIVE: Duration = Duration::from_secs(30);

/// A cancellation whose signal was lost is found within this time.
const CANCEL_LOOK: Duration = Duration::from_secs(5);

type Work = AbortOnDropHandle<Result<(), JobError>>;

impl<H: Handler> Runtime<H> {
    /// Runs a claimed attempt to its end, whatever that is.
    pub(super) async fn attend(&self, claimed: Claimed, message: &Message) {
        let Claimed { context, lease, limit, span } = claimed;
        let fence = context.fence;
        let lost = CancellationToken::new();
        let work = async {
            let _running = Running::count(H::Aggregate::KIND.as_str());
            tracing::info!("the attempt is started");
            let ending = self.run_handler(&context, &lost).await;
            self.settle(&context, ending, limit, &lost).await;
            self.finish_log(&context).await;
        };
        let work = work.instrument(span.clone());
        tokio::select! {
            () = work => {}
            never = self.keep(lease, message, &lost).instrument(span) => match never {},
        }
        if !lost.is_cancelled() {
            lease::give_up(self.backbone.journal.pool(), fence).await;
        }
        answer(message, AckKind::Ack).await;
    }

    async fn run_handler(&self, context: &JobContext, lost: &CancellationToken) -> Ending {
        let mut work = self.spawn(context.clone());
        let listener = self.signals.listen(&context.job);
        let cause = tokio::select! {
            returned = &mut work => return Ending::of(returned),
            () = lost.cancelled() => Cause::Lost,
            () = tokio::time::sleep_until(context.deadline) => Cause::Deadline,
            () = self.cancel_requested(context, || listener.heard()) => Cause::Cancel,
            () = self.drained() => Cause::Shutdown,
        };
        tracing::info!(?cause, "the attempt is stopped");
        context.cancel.cancel();
        match tokio::time::timeout(self.options.cancel_grace, &mut work).await {
            // It was faster than the request to stop.
            Ok(Ok(Ok(()))) => Ending::Done,
            Ok(_) => Ending::Stopped(cause),
            Err(_) => {
                work.abort();
                let _: Result<Result<_, JoinError>, _> =
                    tokio::time::timeout(ABORT_GRACE, work).await;
                Ending::Stopped(cause)
            }
        }
    }

    /// In a task of its own, so that a panic ends nothing else.
    fn spawn(&self, context: JobContext) -> Work {
        let handler = Arc::clone(&self.handler);
        let work = async move { handler.run(&context).await };
        AbortOnDropHandle::new(tokio::spawn(work.in_current_span()))
    }

    /// Keeps what was printed, and tells its readers when nothing will follow.
    async fn finish_log(&self, context: &JobContext) {
        let Backbone { journal, archive, logs, .. } = &self.backbone;
        let lines = context.log.finish().await;
        let written = archive.write(context.org, &context.job, context.attempt, &lines);
        match tokio::time::timeout(ARCHIVE, written).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %crate::chain(&error), "the output of the attempt is not kept");
            }
            Err(_) => tracing::warn!("the output of the attempt could not be kept in time"),
        }
        match journal.state::<H::Aggregate>(context.org, &context.job).await {
            Ok(Some((state, _))) if state.standing() == Standing::Ended => {
                logs.end(context.org, &context.job).await;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "readers of the output are left to wait"),
        }
    }

    async fn drained(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(self.options.drain_grace).await;
    }

    /// Returns when somebody asked for the end of the job. A signal may be lost, so the queue is
    /// looked at every few seconds; and anybody may ring, so a signal only means to look.
    async fn cancel_requested<R: Future<Output = ()>>(
        &self,
        context: &JobContext,
        heard: impl Fn() -> R,
    ) {
        let pause = CANCEL_LOOK.min(self.options.lease / 3);
        loop {
            let asked = tokio::select! {
                () = heard() => self.cancel_is_logged(context).await,
                () = tokio::time::sleep(pause) => self.cancel_is_queued(context).await,
            };
            match asked {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "cannot see whether to cancel"),
            }
        }
    }

    async fn cancel_is_logged(
        &self,
        context: &JobContext,
    ) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        let journal = &self.backbone.journal;
        let state = journal.state::<H::Aggregate>(context.org, &context.job).await?;
        Ok(state.is_some_and(|(state, _)| state.cancel_requested()))
    }

    async fn cancel_is_queued(
        &self,
        context: &JobContext,
    ) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        let queued = crate::queue::get(&self.backbone.views, &context.job).await?;
        Ok(queued.is_some_and(|job| job.cancel_requested))
    }

    /// Gives signs of life until it is dropped, or until the lease is lost.
    async fn keep(
        &self,
        mut lease: Lease,
        message: &Message,
        lost: &CancellationToken,
    ) -> Infallible {
        let mut pause = self.options.lease / 3;
        loop {
            tokio::time::sleep(pause).await;
            let left = lease.holds_until().saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, lease.renew()).await {
                Ok(Ok(true)) => {
                    pause = self.options.lease / 3;
                    answer(message, AckKind::Progress).await;
                    continue;
                }
                Ok(Ok(false)) => tracing::warn!("somebody took this attempt for abandoned"),
                Ok(Err(error)) if Instant::now() < lease.holds_until() => {
                    tracing::warn!(%error, "the lease could not be renewed; trying again");
                    pause = (self.options.lease / 12).min(left);
                    continue;
                }
                Ok(Err(_)) | Err(_) => tracing::warn!("the lease ran out before it was renewed"),
            }
            lost.cancel();
            return pending().await;
        }
    }
}

struct Running(&'static str);

impl Running {
    fn count(kind: &'static str) -> Self {
        metrics::gauge!("jobs_running", "kind" => kind).increment(1);
        Self(kind)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        metrics::gauge!("jobs_running", "kind" => self.0).decrement(1);
    }
}
