use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::Faults;
use super::layers::Section;

/// What this process writes about itself, on its error stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: Format,
    /// A level, or levels by module: `info,journal=debug`.
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Json,
    Text,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: Format::Text, level: "info,async_nats=warn".to_owned() }
    }
}

impl Section for Log {
    const NAME: &'static str = "log";

    fn check(&self, faults: &mut Faults) {
        if let Err(error) = EnvFilter::try_new(&self.level) {
            faults.add("log.level", error);
        }
    }
}
