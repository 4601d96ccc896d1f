use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Timestamp, event::EventType, ids::SinkId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AuditEvent {
    /// Somebody took entries out.
    Exported {
        format: ExportFormat,
        /// Which entries were wanted.
        filter: BTreeMap<String, String>,
        /// Those of all organisations.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        installation: bool,
        /// Personal data was not masked.
        personal: bool,
        exported_at: Timestamp,
    },
    /// Entries are sent to a collector from now on, or in another way than before.
    SinkSet {
        sink_id: SinkId,
        url: String,
        format: SinkFormat,
        /// The header that the token is sent in.
        header: String,
        /// Sealed under a key of the installation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        set_at: Timestamp,
    },
    SinkRemoved {
        sink_id: SinkId,
        removed_at: Timestamp,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    Ndjson,
    Csv,
}

/// How a collector takes entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkFormat {
    /// An array of entries, as Datadog's intake takes them too.
    Json,
    /// One entry a line.
    Ndjson,
    /// `{"time": .., "event": ..}` one after another, as Splunk's HTTP event collector takes them.
    Splunk,
}

impl ExportFormat {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

impl SinkFormat {
    pub const ALL: [Self; 3] = [Self::Json, Self::Ndjson, Self::Splunk];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Splunk => "splunk",
        }
    }
}

pub const EVENT_TYPES: &[EventType] = &[
    EventType {
        name: "audit.exported",
        version: 1,
        about: "Somebody took entries of the audit log out.",
    },
    EventType {
        name: "audit.sink_set",
        version: 1,
        about: "Entries of the audit log are sent to a collector.",
    },
    EventType {
        name: "audit.sink_removed",
        version: 1,
        about: "Nothing is sent to a collector any more.",
    },
];

impl cqrs_es::DomainEvent for AuditEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Exported { .. } => "audit.exported",
            Self::SinkSet { .. } => "audit.sink_set",
            Self::SinkRemoved { .. } => "audit.sink_removed",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
