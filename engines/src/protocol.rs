use std::{io, path::PathBuf};

use domain::scans::{EngineOutcome, Finding, Profile, Warning};
use serde::{Deserialize, Serialize};

/// What one engine is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub work: Work,
    pub profile: Profile,
    pub limits: Limits,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "engine", rename_all = "snake_case")]
pub enum Work {
    Secrets {
        /// Root of the tree; nothing outside it is read.
        root: PathBuf,
    },
    Dependencies {
        root: PathBuf,
        /// Folder with the imported advisories; none were imported when left out.
        advisories: Option<PathBuf>,
    },
    Website {
        url: String,
        network: NetworkPolicy,
    },
}

/// Bounds of one engine run. Reaching one makes the outcome partial, never wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The engine ends by itself after this time, in seconds.
    pub time_s: u32,
    pub max_findings: u64,
    pub max_files: u64,
    /// A larger file is left out with a warning.
    pub max_file_bytes: u64,
    /// Bytes read in all.
    pub max_total_bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPolicy {
    /// Address ranges (CIDR) that may be reached although they are private, loopback or otherwise
    /// not public: the operator's choice.
    pub allowed_ranges: Vec<String>,
}

/// One line of an engine's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    Finding {
        finding: Box<Finding>,
    },
    Warning {
        warning: Warning,
    },
    /// For the log of the scan.
    Progress {
        text: String,
    },
    /// The last line. An engine that ends without it has failed.
    Done {
        outcome: EngineOutcome,
        summary: String,
    },
}

/// Where an engine puts its messages.
pub trait Output {
    fn send(&mut self, message: Message) -> io::Result<()>;
}

/// Why an engine could not go on. What it had found before has already been sent.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the reader of the results is gone")]
    Output(#[from] io::Error),
    #[error("{0}")]
    Target(String),
}
