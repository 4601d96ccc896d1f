use serde::{Deserialize, Serialize};

use super::Faults;
use super::layers::Section;

/// What one worker process runs at once, and the bounds of each job's sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workers {
    pub scan_concurrency: u32,
    pub sandbox: Sandbox,
    pub memory_mb: u32,
    /// Processor time of one sandboxed program.
    pub cpu_s: u32,
    pub pids: u32,
    /// Disk for a job's working files.
    pub scratch_bytes: u64,
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
        Self {
            scan_concurrency: 2,
            sandbox: Sandbox::Required,
            memory_mb: 1024,
            cpu_s: 600,
            pids: 256,
            scratch_bytes: 4 << 30,
        }
    }
}

impl Section for Workers {
    const NAME: &'static str = "workers";

    fn check(&self, faults: &mut Faults) {
        faults.range("workers.scan_concurrency", self.scan_concurrency, 1..=1000);
        faults.range("workers.memory_mb", self.memory_mb, 64..=1 << 20);
        faults.range("workers.cpu_s", self.cpu_s, 1..=86_400);
        faults.range("workers.pids", self.pids, 8..=65_536);
        faults.range("workers.scratch_bytes", self.scratch_bytes, 1 << 20..=1 << 42);
    }
}
