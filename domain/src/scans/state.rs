use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Engine, EngineOutcome, ScanCommand, ScanError, ScanEvent, SeverityCounts, command};
use crate::{Decide, Decision, Service, Timestamp, jobs::JobKind};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanStatus {
    /// No event yet.
    #[default]
    New,
    Queued,
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// What the decisions about a scan need to know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    pub status: ScanStatus,
    pub attempt: u32,
    /// Attempts that failed.
    pub faults: u32,
    pub fence: Option<Uuid>,
    pub deadline_s: u32,
    pub not_before: Option<Timestamp>,
    pub engines: BTreeMap<Engine, EngineState>,
    pub counts: SeverityCounts,
    pub cancel_requested: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineState {
    pub started: bool,
    pub next_batch: u32,
    pub outcome: Option<EngineOutcome>,
}

impl ScanStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl Scan {
    pub const JOB: JobKind = JobKind::Scan;

    fn begin_attempt(&mut self) {
        for engine in self.engines.values_mut() {
            *engine = EngineState::default();
        }
        self.counts = SeverityCounts::default();
    }
}

impl Decide for Scan {
    const STATE_VERSION: u32 = 1;

    fn decide(&self, command: ScanCommand) -> Result<Decision<ScanEvent>, ScanError> {
        command::decide(self, command)
    }

    fn serves(service: Service, command: &ScanCommand) -> bool {
        command::serves(service, command)
    }

    fn evolve(&mut self, event: &ScanEvent) {
        match event {
            ScanEvent::Requested { engines, requested_at, deadline_s, .. } => {
                self.status = ScanStatus::Queued;
                self.attempt = 1;
                self.deadline_s = *deadline_s;
                self.not_before = Some(*requested_at);
                self.engines = engines.iter().map(|e| (*e, EngineState::default())).collect();
            }
            ScanEvent::AttemptStarted { attempt, fence, .. } => {
                self.status = ScanStatus::Running;
                self.attempt = *attempt;
                self.fence = Some(*fence);
                self.begin_attempt();
            }
            ScanEvent::EngineStarted { engine, .. } => {
                self.engines.entry(*engine).or_default().started = true;
            }
            ScanEvent::FindingsRecorded { engine, batch, findings, .. } => {
                self.engines.entry(*engine).or_default().next_batch = batch.saturating_add(1);
                self.counts.add(&SeverityCounts::of(findings));
            }
            ScanEvent::EngineFinished { engine, outcome, .. } => {
                self.engines.entry(*engine).or_default().outcome = Some(*outcome);
            }
            ScanEvent::Requeued { attempt, not_before, fault, .. } => {
                self.faults += u32::from(*fault);
                self.status = ScanStatus::Queued;
                self.attempt = *attempt;
                self.not_before = Some(*not_before);
                self.fence = None;
            }
            ScanEvent::Completed { .. } => self.status = ScanStatus::Completed,
            ScanEvent::Failed { .. } => self.status = ScanStatus::Failed,
            ScanEvent::CancelRequested { .. } => self.cancel_requested = true,
            ScanEvent::Cancelled { .. } => self.status = ScanStatus::Cancelled,
        }
    }
}

crate::aggregate!(Scan, "scan", ScanCommand, ScanEvent, ScanError);
