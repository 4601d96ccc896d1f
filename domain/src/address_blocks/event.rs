use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Timestamp, event::EventType};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AddressBlockEvent {
    Blocked {
        /// With its length, `203.0.113.7/32`.
        network: String,
        /// Shown to operators.
        reason: String,
        /// When it ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        blocked_at: Timestamp,
    },
    Lifted {
        lifted_at: Timestamp,
    },
}

pub const EVENT_TYPES: &[EventType] = &[
    EventType {
        name: "address_block.blocked",
        version: 1,
        about: "Requests from a network are turned away.",
    },
    EventType {
        name: "address_block.lifted",
        version: 1,
        about: "Requests from the network are taken again.",
    },
];

impl cqrs_es::DomainEvent for AddressBlockEvent {
    fn event_type(&self) -> String {
        match self {
            Self::Blocked { .. } => "address_block.blocked",
            Self::Lifted { .. } => "address_block.lifted",
        }
        .to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
