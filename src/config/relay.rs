use serde::{Deserialize, Serialize};

use super::Faults;
use super::layers::Section;

/// The copy of the log on JetStream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Relay {
    /// Messages published and not yet acknowledged.
    pub window: u32,
    /// Size at which the stream drops its oldest messages; unbounded when absent.
    pub max_bytes: Option<u64>,
}

impl Default for Relay {
    fn default() -> Self {
        Self { window: 1024, max_bytes: None }
    }
}

impl Section for Relay {
    const NAME: &'static str = "relay";

    fn check(&self, faults: &mut Faults) {
        faults.range("relay.window", self.window, 1..=4096);
        if let Some(bytes) = self.max_bytes {
            faults.range("relay.max_bytes", bytes, 1 << 20..=1 << 50);
        }
    }
}
