//! What an organisation does with its audit log: it is exported, and sent on to collectors.
//!
//! One aggregate for each organisation, under the organisation's own id. The log itself is every event
//! there is; here is only who took it out of the house.

mod command;
mod event;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use command::{AuditCommand, AuditError, Export};
pub use event::{AuditEvent, EVENT_TYPES, ExportFormat, SinkFormat};

use crate::{Decide, Decision};

pub const TYPE: &str = "audit";

/// The name under which tokens of collectors are sealed, each for its collector.
pub const SINK_TOKEN: &str = "audit sink token";

/// Collectors of one organisation.
pub const MAX_SINKS: usize = 5;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    pub sinks: BTreeMap<String, Sink>,
}

/// A collector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sink {
    pub url: String,
    pub header: String,
    /// Sealed.
    pub token: Option<String>,
}

impl Decide for Audit {
    const STATE_VERSION: u32 = 1;

    fn decide(&self, command: AuditCommand) -> Result<Decision<AuditEvent>, AuditError> {
        command::decide(self, command)
    }

    fn evolve(&mut self, event: &AuditEvent) {
        match event {
            AuditEvent::Exported { .. } => {}
            AuditEvent::SinkSet { sink_id, url, header, token, .. } => {
                let (url, header, token) = (url.clone(), header.clone(), token.clone());
                self.sinks.insert(sink_id.to_string(), Sink { url, header, token });
            }
            AuditEvent::SinkRemoved { sink_id, .. } => {
                self.sinks.remove(&sink_id.to_string());
            }
        }
    }
}

crate::aggregate!(Audit, "audit", AuditCommand, AuditEvent, AuditError);
