use serde::{Deserialize, Serialize};

use super::Faults;
use super::layers::Section;

/// The read models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Projections {
    /// Events read and applied in one transaction.
    pub batch: u32,
    /// Pause between looks at the log when nothing rings the doorbell.
    pub poll_ms: u32,
}

impl Default for Projections {
    fn default() -> Self {
        Self { batch: 1000, poll_ms: 1000 }
    }
}

impl Section for Projections {
    const NAME: &'static str = "projections";

    fn check(&self, faults: &mut Faults) {
        faults.range("projections.batch", self.batch, 1..=100_000);
        faults.range("projections.poll_ms", self.poll_ms, 10..=60_000);
    }
}
