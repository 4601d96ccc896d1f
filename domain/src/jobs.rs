//! What every kind of job has in common, whatever aggregate carries it.
//!
//! An aggregate that is run by workers translates its events to [`JobChange`]; the queue, the
//! dispatcher and the sweeper know jobs by nothing else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// The kinds of work there are. The name is a token of the subject `jobs.<kind>.<priority>`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    Scan,
}

impl JobKind {
    pub const ALL: [Self; 1] = [Self::Scan];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Longest time one attempt may run, in seconds.
    pub const fn deadline_s(self) -> u32 {
        match self {
            Self::Scan => 900,
        }
    }

    /// Attempts before a retryable failure becomes final.
    pub const fn max_attempts(self) -> u32 {
        match self {
            Self::Scan => 3,
        }
    }

    pub const fn priority(self) -> Priority {
        match self {
            Self::Scan => Priority::Medium,
        }
    }
}

/// Priority classes; a higher one is always released before a lower one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    Low,
    Medium,
    High,
}

impl Priority {
    /// In the order in which they are released.
    pub const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Its place in the order of release, from 0.
    pub const fn rank(self) -> i16 {
        match self {
            Self::High => 0,
            Self::Medium => 1,
            Self::Low => 2,
        }
    }

    pub fn from_rank(rank: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.rank() == rank)
    }
}

/// What an event means to the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobChange {
    /// The job waits for its attempt number `attempt`, not before `not_before`.
    Queued {
        kind: JobKind,
        attempt: u32,
        not_before: Timestamp,
    },
    /// `fence` holds the attempt now; whoever carries another fence has lost it.
    Started {
        attempt: u32,
        fence: Uuid,
        deadline: Timestamp,
    },
    CancelRequested,
    /// The job will never run again.
    Ended,
}
