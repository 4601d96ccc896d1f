use serde::{Deserialize, Serialize};

use super::Faults;
use super::layers::Section;

/// What one worker process runs at once, and the bounds of each job's sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workers {
    pub scan_concurrency: u32,
    pub sandbox: Sandbox,
    /// Of one sandboxed program.
    pub memory_mb: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    /// Jobs are refused where it is not available.
    Required,
    /// Jobs run without it where it is not available.
    Preferred,
    Off,
}

impl Default for Workers {
    fn default() -> Self {
        Self { scan_concurrency: 2, sandbox: Sandbox::Required, memory_mb: 1024 }
    }
}

impl Section for Workers {
    const NAME: &'static str = "workers";

    fn check(&self, faults: &mut Faults) {
        faults.range("workers.scan_concurrency", self.scan_concurrency, 1..=1000);
        faults.range("workers.memory_mb", self.memory_mb, 64..=1 << 20);
    }
}
