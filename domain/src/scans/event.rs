use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Engine, EngineOutcome, Finding, Profile, SeverityCounts, Target, Warning};
use crate::{
    Timestamp,
    event::EventType,
    jobs::{JobChange, JobKind},
};

/// What happened to a scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ScanEvent {
    Requested {
        target: Target,
        engines: Vec<Engine>,
        profile: Profile,
        requested_at: Timestamp,
        /// Longest time one attempt may run, in seconds.
        deadline_s: u32,
    },
    AttemptStarted {
        attempt: u32,
        /// Held by one worker; reports that carry another one are refused.
        fence: Uuid,
        worker: String,
        started_at: Timestamp,
        deadline: Timestamp,
    },
    EngineStarted {
        attempt: u32,
        engine: Engine,
        started_at: Timestamp,
    },
    FindingsRecorded {
        attempt: u32,
        engine: Engine,
        /// Counts from 0 within the attempt and engine.
        batch: u32,
        findings: Vec<Finding>,
    },
    EngineFinished {
        attempt: u32,
        engine: Engine,
        outcome: EngineOutcome,
        warnings: Vec<Warning>,
        finished_at: Timestamp,
        /// What it looked at, for people: `412 files, 3.1 MB`.
        summary: String,
    },
    /// The attempt ended without a result, and the scan waits for the next one.
    Requeued {
        /// The attempt that will be started next.
        attempt: u32,
        reason: String,
        not_before: Timestamp,
        /// Whether the attempt counts against those the scan has.
        fault: bool,
    },
    Completed {
        attempt: u32,
        counts: SeverityCounts,
        /// True when every engine looked at everything it should.
        complete: bool,
        completed_at: Timestamp,
    },
    Failed {
        attempt: u32,
        reason: String,
        failed_at: Timestamp,
    },
    CancelRequested {
        requested_at: Timestamp,
    },
    Cancelled {
        cancelled_at: Timestamp,
    },
}

const fn event_type(name: &'static str, about: &'static str) -> EventType {
    EventType { name, version: 1, about }
}

pub const EVENT_TYPES: &[EventType] = &[
    event_type("scan.requested", "Somebody asked for a scan; it waits in the queue."),
    event_type("scan.attempt_started", "A worker took the scan and runs it."),
    event_type("scan.engine_started", "An engine began to look at the target."),
    event_type("scan.findings_recorded", "A bounded batch of findings of one engine."),
    event_type("scan.engine_finished", "An engine ended, with its outcome and warnings."),
    event_type("scan.requeued", "An attempt ended without a result; the scan waits for the next."),
    event_type("scan.completed", "The scan ended with a result."),
    event_type("scan.failed", "The scan ended without a result."),
    event_type("scan.cancel_requested", "Somebody asked a running scan to stop."),
    event_type("scan.cancelled", "The scan was stopped on request."),
];

impl ScanEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "scan.requested",
            Self::AttemptStarted { .. } => "scan.attempt_started",
            Self::EngineStarted { .. } => "scan.engine_started",
            Self::FindingsRecorded { .. } => "scan.findings_recorded",
            Self::EngineFinished { .. } => "scan.engine_finished",
            Self::Requeued { .. } => "scan.requeued",
            Self::Completed { .. } => "scan.completed",
            Self::Failed { .. } => "scan.failed",
            Self::CancelRequested { .. } => "scan.cancel_requested",
            Self::Cancelled { .. } => "scan.cancelled",
        }
    }

    pub fn job_change(&self) -> Option<JobChange> {
        match self {
            Self::Requested { requested_at, .. } => Some(JobChange::Queued {
                kind: JobKind::Scan,
                attempt: 1,
                not_before: *requested_at,
            }),
            Self::Requeued { attempt, not_before, .. } => Some(JobChange::Queued {
                kind: JobKind::Scan,
                attempt: *attempt,
                not_before: *not_before,
            }),
            Self::AttemptStarted { attempt, fence, deadline, .. } => {
                Some(JobChange::Started { attempt: *attempt, fence: *fence, deadline: *deadline })
            }
            Self::CancelRequested { .. } => Some(JobChange::CancelRequested),
            Self::Completed { .. } | Self::Failed { .. } | Self::Cancelled { .. } => {
                Some(JobChange::Ended)
            }
            Self::EngineStarted { .. }
            | Self::FindingsRecorded { .. }
            | Self::EngineFinished { .. } => None,
        }
    }
}

impl cqrs_es::DomainEvent for ScanEvent {
    fn event_type(&self) -> String {
        self.name().to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
