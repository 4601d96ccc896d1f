use std::time::Duration;

use async_trait::async_trait;
use domain::{Decide, Timestamp, ids::OrganizationId};
use journal::{Context, Journal};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{JobAggregate, JobLog, tell};

/// The work of one kind of job. Everything around it is done by the runtime.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    type Aggregate: JobAggregate;

    /// Does the work of one attempt and records its result. It must end soon after
    /// [`JobContext::cancel`] is cancelled, with whatever result; it may be dropped at any await.
    async fn run(&self, job: &JobContext) -> Result<(), JobError>;
}

/// Why an attempt has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// Another attempt may do better. Without a delay the runtime chooses one.
    #[error("{reason}")]
    Retry { reason: String, delay: Option<Duration> },
    /// Every attempt would fail.
    #[error("{reason}")]
    Fail { reason: String },
}

impl JobError {
    pub fn retry(reason: impl ToString) -> Self {
        Self::Retry { reason: reason.to_string(), delay: None }
    }

    pub fn retry_after(reason: impl ToString, delay: Duration) -> Self {
        Self::Retry { reason: reason.to_string(), delay: Some(delay) }
    }

    pub fn fail(reason: impl ToString) -> Self {
        Self::Fail { reason: reason.to_string() }
    }
}

/// One started attempt, as its handler sees it.
#[derive(Clone)]
pub struct JobContext {
    pub job: String,
    pub attempt: u32,
    pub fence: Uuid,
    pub org: OrganizationId,
    /// When the attempt is ended, whatever it is doing.
    pub deadline: tokio::time::Instant,
    pub cancel: CancellationToken,
    pub log: JobLog,
    pub(super) journal: Journal,
    pub(super) caller: Context,
}

impl JobContext {
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    pub fn now(&self) -> Timestamp {
        self.journal.clock().now()
    }

    /// Reports to the job's aggregate. While the log cannot be reached it is tried again, until the
    /// attempt is cancelled.
    pub async fn execute<A: Decide>(&self, command: A::Command) -> Result<(), JobError> {
        match tell::tell::<A>(&self.journal, &self.caller, &self.job, command, &self.cancel).await {
            Ok(()) => Ok(()),
            Err(tell::Error::Refused(reason)) => Err(JobError::fail(reason)),
            Err(error) => Err(JobError::retry(error)),
        }
    }
}
