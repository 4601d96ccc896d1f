use serde::{Deserialize, Serialize};

use super::Faults;
use super::layers::Section;

/// How work is handed to workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jobs {
    /// A worker that shows no progress for so long has lost its job.
    pub lease_s: u32,
    /// Jobs released beyond what the workers can run at once, in percent of it.
    pub release_ahead_percent: u32,
    /// Jobs of one kind one organisation may have running.
    pub per_org_limit: u32,
    /// Pause between searches for jobs whose message was lost.
    pub sweep_s: u32,
    /// How long running jobs may go on at shutdown.
    pub drain_timeout_s: u32,
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            lease_s: 15,
            release_ahead_percent: 50,
            per_org_limit: 4,
            sweep_s: 5,
            drain_timeout_s: 20,
        }
    }
}

impl Section for Jobs {
    const NAME: &'static str = "jobs";

    fn check(&self, faults: &mut Faults) {
        faults.range("jobs.lease_s", self.lease_s, 2..=3600);
        faults.range("jobs.release_ahead_percent", self.release_ahead_percent, 0..=1000);
        faults.range("jobs.per_org_limit", self.per_org_limit, 1..=10_000);
        faults.range("jobs.sweep_s", self.sweep_s, 1..=3600);
        faults.range("jobs.drain_timeout_s", self.drain_timeout_s, 0..=3600);
    }
}
