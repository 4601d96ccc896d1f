use domain::{
    Timestamp,
    ids::{OrganizationId, ScanId},
    scans::{
        Engine, EngineOutcome, Finding, Profile, ScanStatus, Severity, SeverityCounts, Target,
        Warning,
    },
};
use serde::{Deserialize, Serialize};

/// A scan as its users see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanRow {
    pub org: OrganizationId,
    pub id: ScanId,
    pub state: ScanStatus,
    pub target: Target,
    pub profile: Profile,
    pub engines: Vec<EngineProgress>,
    /// The attempt that runs, ran last, or is waited for.
    pub attempt: u32,
    /// Open findings of this attempt.
    pub counts: SeverityCounts,
    pub suppressed: u64,
    /// All findings of this attempt, whatever their status.
    pub findings: u64,
    pub warnings: Vec<Warning>,
    /// Whether every engine looked at everything it should. False until the scan has completed.
    pub complete: bool,
    pub cancel_requested: bool,
    /// Who asked for it, as the log names actors: `api_key:<id>`.
    pub requested_by: String,
    pub requested_at: Timestamp,
    /// The next attempt is not started before.
    pub not_before: Option<Timestamp>,
    /// Start of the attempt.
    pub started_at: Option<Timestamp>,
    /// The attempt must have ended by then.
    pub deadline: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Why it failed, or why the attempt before ended.
    pub reason: Option<String>,
    /// Version of the aggregate.
    pub sequence: u64,
    /// Position of the request.
    pub requested_position: u64,
    /// Position of the last event that changed it.
    pub position: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineProgress {
    pub engine: Engine,
    pub status: EngineStatus,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Found so far in this attempt.
    pub findings: u64,
    /// What it looked at, for people.
    pub summary: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineStatus {
    Waiting,
    Running,
    Completed,
    Partial,
    Failed,
    /// It had not finished when the scan ended.
    Stopped,
}

/// One finding of a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingRow {
    /// Counts from 1 within the scan, in the order they were found.
    pub number: u64,
    pub engine: Engine,
    pub finding: Finding,
}

impl EngineProgress {
    pub(super) fn waiting(engine: Engine) -> Self {
        Self {
            engine,
            status: EngineStatus::Waiting,
            started_at: None,
            finished_at: None,
            findings: 0,
            summary: None,
        }
    }
}

impl EngineStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

impl From<EngineOutcome> for EngineStatus {
    fn from(outcome: EngineOutcome) -> Self {
        match outcome {
            EngineOutcome::Completed => Self::Completed,
            EngineOutcome::Partial => Self::Partial,
            EngineOutcome::Failed => Self::Failed,
        }
    }
}

/// Most severe first.
pub(super) const fn rank(severity: Severity) -> i16 {
    match severity {
        Severity::Critical => 0,
        Severity::High => 1,
        Severity::Medium => 2,
        Severity::Low => 3,
        Severity::Info => 4,
    }
}

pub(super) const fn profile_name(profile: Profile) -> &'static str {
    match profile {
        Profile::Quick => "quick",
        Profile::Full => "full",
    }
}

pub(super) const STATES: [ScanStatus; 5] = [
    ScanStatus::Queued,
    ScanStatus::Running,
    ScanStatus::Completed,
    ScanStatus::Failed,
    ScanStatus::Cancelled,
];
