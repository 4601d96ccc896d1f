use std::time::Duration;

use chrono::TimeDelta;
use domain::{
    Decide, Timestamp,
    jobs::JobKind,
    scans::{Scan, ScanCommand, ScanStatus},
};
use uuid::Uuid;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Waiting {
        attempt: u32,
        since: Option<Timestamp>,
    },
    Running {
        attempt: u32,
        fence: Uuid,
    },
    /// Over, or not there at all.
    Ended,
}

/// An aggregate that is a job: what the runtime and the sweeper tell it and ask it, whatever its
/// work is.
pub trait JobAggregate: Decide {
    const KIND: JobKind;

    fn standing(&self) -> Standing;

    fn cancel_requested(&self) -> bool;

    /// Longest time one attempt may run.
    fn deadline(&self) -> Duration;

    fn start(attempt: u32, fence: Uuid, worker: String, now: Timestamp) -> Self::Command;

    /// Without a delay the failure is final.
    fn fail(
        fence: Uuid,
        reason: String,
        retry_after: Option<TimeDelta>,
        now: Timestamp,
    ) -> Self::Command;

    fn abandon(fence: Uuid, reason: String, now: Timestamp) -> Self::Command;

    /// The worker ends in good order; this costs no attempt.
    fn give_back(fence: Uuid, reason: String, now: Timestamp) -> Self::Command;

    fn cancel(now: Timestamp) -> Self::Command;

    fn confirm_cancelled(fence: Uuid, now: Timestamp) -> Self::Command;
}

impl JobAggregate for Scan {
    const KIND: JobKind = Scan::JOB;

    fn standing(&self) -> Standing {
        match (self.status, self.fence) {
            (ScanStatus::Queued, _) => {
                Standing::Waiting { attempt: self.attempt, since: self.not_before }
            }
            (ScanStatus::Running, Some(fence)) => {
                Standing::Running { attempt: self.attempt, fence }
            }
            _ => Standing::Ended,
        }
    }

    fn cancel_requested(&self) -> bool {
        self.cancel_requested
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(u64::from(self.deadline_s))
    }

    fn start(attempt: u32, fence: Uuid, worker: String, now: Timestamp) -> ScanCommand {
        ScanCommand::StartAttempt { attempt, fence, worker, now }
    }

    fn fail(
        fence: Uuid,
        reason: String,
        retry_after: Option<TimeDelta>,
        now: Timestamp,
    ) -> ScanCommand {
        ScanCommand::FailAttempt { fence, reason, retry_after, now }
    }

    fn abandon(fence: Uuid, reason: String, now: Timestamp) -> ScanCommand {
        ScanCommand::AbandonAttempt { fence, reason, now }
    }

    fn give_back(fence: Uuid, reason: String, now: Timestamp) -> ScanCommand {
        ScanCommand::GiveBack { fence, reason, now }
    }

    fn cancel(now: Timestamp) -> ScanCommand {
        ScanCommand::RequestCancel { now }
    }

    fn confirm_cancelled(fence: Uuid, now: Timestamp) -> ScanCommand {
        ScanCommand::ConfirmCancelled { fence, now }
    }
}
