use std::time::Duration;

use chrono::TimeDelta;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use super::{Handler, JobAggregate, JobContext, JobError, Runtime, tell};

/// Longest reason kept of a panic.
const MAX_PANIC_CHARS: usize = 300;
/// No handler can put a job off for longer.
const MAX_DELAY: Duration = Duration::from_secs(24 * 3600);

/// Why an attempt was stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody else may hold the job by now.
    Lost,
    Deadline,
    Cancel,
    Shutdown,
}

#[derive(Debug)]
pub(super) enum Ending {
    /// The handler has recorded the result.
    Done,
    Retry(String, Option<Duration>),
    Fail(String),
    Stopped(Cause),
}

impl Ending {
    pub fn of(returned: Result<Result<(), JobError>, JoinError>) -> Self {
        match returned {
            Ok(Ok(())) => Self::Done,
            Ok(Err(JobError::Retry { reason, delay })) => Self::Retry(reason, delay),
            Ok(Err(JobError::Fail { reason })) => Self::Fail(reason),
            Err(error) => Self::Retry(format!("the worker failed: {}", panic_text(error)), None),
        }
    }
}

fn panic_text(error: JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else { return "its task was ended".to_owned() };
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    text.chars().take(MAX_PANIC_CHARS).collect()
}

impl<H: Handler> Runtime<H> {
    /// Records how the attempt ended, unless its handler has.
    pub(super) async fn settle(
        &self,
        context: &JobContext,
        ending: Ending,
        limit: Duration,
        lost: &CancellationToken,
    ) {
        let kind = H::Aggregate::KIND.as_str();
        let outcome = outcome(&ending);
        let started = context.deadline - limit;
        metrics::histogram!("job_run_seconds", "kind" => kind, "outcome" => outcome)
            .record(started.elapsed().as_secs_f64());
        tracing::info!(outcome, ?ending, "the attempt has ended");
        let retry_delay = self.options.retry.delay(context.attempt, (self.options.chance)());
        let Some(command) = command::<H::Aggregate>(context, ending, limit, retry_delay) else {
            return;
        };
        let (journal, caller) = (&context.journal, &context.caller);
        match tell::tell::<H::Aggregate>(journal, caller, &context.job, command, lost).await {
            Ok(()) => {}
            Err(tell::Error::Refused(reason)) => {
                tracing::info!(reason, "the job has moved on without this attempt");
            }
            Err(error) => tracing::warn!(%error, "the end of the attempt is left to the sweeper"),
        }
    }
}

fn command<A: JobAggregate>(
    context: &JobContext,
    ending: Ending,
    limit: Duration,
    retry_delay: Duration,
) -> Option<A::Command> {
    let (fence, now) = (context.fence, context.now());
    Some(match ending {
        Ending::Done | Ending::Stopped(Cause::Lost) => return None,
        Ending::Retry(reason, delay) => {
            let delay = delay.unwrap_or(retry_delay).min(MAX_DELAY);
            A::fail(fence, reason, TimeDelta::from_std(delay).ok(), now)
        }
        Ending::Fail(reason) => A::fail(fence, reason, None, now),
        Ending::Stopped(Cause::Deadline) => A::fail(fence, deadline_reason(limit), None, now),
        Ending::Stopped(Cause::Cancel) => A::confirm_cancelled(fence, now),
        Ending::Stopped(Cause::Shutdown) => {
            A::give_back(fence, "the worker is shutting down".to_owned(), now)
        }
    })
}

/// What people read about a job that took too long.
pub(crate) fn deadline_reason(limit: Duration) -> String {
    format!("it did not end within its deadline of {} seconds", limit.as_secs())
}

fn outcome(ending: &Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Retry(..) => "retried",
        Ending::Fail(_) | Ending::Stopped(Cause::Deadline) => "failed",
        Ending::Stopped(Cause::Cancel) => "cancelled",
        Ending::Stopped(Cause::Shutdown) => "given_back",
        Ending::Stopped(Cause::Lost) => "lost",
    }
}
