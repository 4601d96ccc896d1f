use domain::Timestamp;
use poem_openapi::{Enum, Object};

use super::finding::FindingView;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "TargetKind")]
pub(crate) enum TargetKind {
    Repository,
    Website,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum Engine {
    Secrets,
    Dependencies,
    Website,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum Profile {
    /// The present state of the target.
    Quick,
    /// Also the history of a repository and the rarer probes of a website.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "ScanState")]
pub(crate) enum State {
    Queued,
    Running,
    Completed,
    Failed,
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "EngineState")]
pub(crate) enum EngineState {
    Waiting,
    Running,
    /// It looked at everything it should.
    Completed,
    /// It could not look at everything; the warnings say why.
    Partial,
    /// It could not do its work; the warnings say why.
    Failed,
    /// It had not finished when the scan ended.
    Stopped,
}

/// What is scanned.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct Target {
    pub(super) kind: TargetKind,
    /// `https://` or `http://`.
    #[oai(skip_serializing_if_is_none)]
    pub(super) url: Option<String>,
    /// Instead of the url of a repository: an absolute path on the worker's machine, in a folder
    /// that the operator allowed.
    #[oai(skip_serializing_if_is_none)]
    pub(super) path: Option<String>,
}

/// What to scan and how.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct ScanRequest {
    pub(super) target: Target,
    /// Every engine that fits the target when left out.
    pub(super) engines: Option<Vec<Engine>>,
    /// `quick` when left out.
    pub(super) profile: Option<Profile>,
}

/// Open findings by severity.
#[derive(Debug, Object)]
#[oai(rename = "SeverityCounts")]
pub(crate) struct Counts {
    pub(super) critical: u64,
    pub(super) high: u64,
    pub(super) medium: u64,
    pub(super) low: u64,
    pub(super) info: u64,
}

/// Something a reader of the result must know to judge it.
#[derive(Debug, Object)]
pub(crate) struct Warning {
    /// Stable, for programs.
    pub(super) code: String,
    pub(super) message: String,
    #[oai(skip_serializing_if_is_none)]
    pub(super) engine: Option<Engine>,
}

#[derive(Debug, Object)]
#[oai(rename = "EngineProgress")]
pub(crate) struct EngineView {
    pub(super) engine: Engine,
    pub(super) state: EngineState,
    /// Found so far in this attempt.
    pub(super) findings: u64,
    /// What it looked at.
    #[oai(skip_serializing_if_is_none)]
    pub(super) summary: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub(super) started_at: Option<Timestamp>,
    #[oai(skip_serializing_if_is_none)]
    pub(super) finished_at: Option<Timestamp>,
}

/// A scan.
#[derive(Debug, Object)]
#[oai(rename = "Scan")]
pub(crate) struct ScanView {
    pub(super) id: String,
    pub(super) state: State,
    pub(super) target: Target,
    pub(super) profile: Profile,
    /// The attempt that runs, ran last or is waited for; from 1.
    pub(super) attempt: u32,
    /// Whether every engine looked at everything it should. A scan that is not complete can have
    /// missed findings, however few it shows.
    pub(super) complete: bool,
    pub(super) cancel_requested: bool,
    pub(super) counts: Counts,
    /// Findings accepted at their place in the target; they are not counted.
    pub(super) suppressed: u64,
    /// All findings, the suppressed ones too.
    pub(super) findings: u64,
    pub(super) engines: Vec<EngineView>,
    pub(super) warnings: Vec<Warning>,
    /// Why it failed, or why the attempt before ended.
    #[oai(skip_serializing_if_is_none)]
    pub(super) reason: Option<String>,
    /// Place in the queue, from 1, while it waits among the first thousand.
    #[oai(skip_serializing_if_is_none)]
    pub(super) queue_place: Option<u64>,
    pub(super) requested_by: String,
    pub(super) requested_at: Timestamp,
    #[oai(skip_serializing_if_is_none)]
    pub(super) not_before: Option<Timestamp>,
    #[oai(skip_serializing_if_is_none)]
    pub(super) started_at: Option<Timestamp>,
    #[oai(skip_serializing_if_is_none)]
    pub(super) finished_at: Option<Timestamp>,
    /// Run time of the last attempt, in milliseconds, once it has ended.
    #[oai(skip_serializing_if_is_none)]
    pub(super) duration_ms: Option<i64>,
    /// Also its `ETag`.
    pub(super) version: u64,
    /// Position of the last event that changed it.
    pub(super) position: u64,
}

#[derive(Debug, Object)]
pub(crate) struct ScanPage {
    pub(super) scans: Vec<ScanView>,
    /// Send it as `cursor` for the next page; missing on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub(super) next_cursor: Option<String>,
}

#[derive(Debug, Object)]
pub(crate) struct FindingPage {
    pub(super) findings: Vec<FindingView>,
    /// Send it as `cursor` for the next page; missing on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub(super) next_cursor: Option<String>,
}

impl ScanView {
    #[must_use]
    pub fn queued_at(mut self, place: Option<u64>) -> Self {
        self.queue_place = place;
        self
    }
}

impl TargetKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Website => "website",
        }
    }
}
