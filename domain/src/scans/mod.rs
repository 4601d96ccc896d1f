//! A scan of one target by one or more engines.
//!
//! `queued -> running -> completed | failed | cancelled`, and back to `queued` when an attempt is
//! lost or may be retried. Whoever asked for the scan moves it to `queued` and may cancel it; only
//! the holder of the current fence reports on a running attempt.

mod command;
mod error;
mod event;
mod finding;
mod state;
mod target;
#[cfg(test)]
mod tests;

pub use command::{MAX_BATCH_FINDINGS, MAX_WARNINGS, ScanCommand};
pub use error::ScanError;
pub use event::{EVENT_TYPES, ScanEvent};
pub use finding::{Cvss, Finding, FindingStatus, Location, Package, Severity, SeverityCounts};
pub use state::{EngineState, Scan, ScanStatus};
pub use target::{Engine, EngineOutcome, Profile, RepositorySource, Target, TargetError, Warning};

/// The aggregate type, and the second token of its subjects.
pub const TYPE: &str = "scan";
