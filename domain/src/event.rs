//! Every event there is, decoded from what the log stores.

use std::{collections::BTreeMap, sync::LazyLock};

use cqrs_es::DomainEvent;
use serde::de::DeserializeOwned;

use crate::{
    Decide, PersonalField,
    address_blocks::{self, AddressBlockEvent},
    audit::{self, AuditEvent},
    factors::{self, FactorEvent},
    jobs::JobChange,
    organizations::{self, OrganizationEvent},
    scans::{self, ScanEvent},
    sessions::{self, SessionEvent},
    upcast::{self, Chain, Stored},
    users::{self, UserEvent},
};

/// An event of any context. Projections match on it exhaustively.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    AddressBlock(AddressBlockEvent),
    Audit(AuditEvent),
    Factor(FactorEvent),
    Organization(OrganizationEvent),
    Scan(ScanEvent),
    Session(SessionEvent),
    User(UserEvent),
}

/// One event type as the catalogue and the generated documents name it.
#[derive(Debug, Clone, Copy)]
pub struct EventType {
    /// Full name, `scan.requested`.
    pub name: &'static str,
    pub version: u32,
    /// What it tells a subscriber, in a sentence.
    pub about: &'static str,
}

#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error(transparent)]
    Upcast(#[from] upcast::Error),
    #[error("version {version} of {event_type} does not have the fields of its type")]
    Payload {
        event_type: String,
        version: u32,
        #[source]
        source: serde_json::Error,
    },
    #[error("no aggregate has events of type {0}")]
    Aggregate(String),
}

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    let current = catalogue().map(|t| (t.name.to_owned(), t.version)).collect::<BTreeMap<_, _>>();
    #[expect(clippy::expect_used, reason = "a test builds the chain, so a bad one cannot ship")]
    Chain::new(upcasters(), current).expect("the upcasters form a chain")
});

/// The steps from every older event version to the next. None yet: every event is of version 1.
fn upcasters() -> Vec<upcast::Step> {
    Vec::new()
}

/// Every event type of the house, in its current version.
pub fn catalogue() -> impl Iterator<Item = EventType> {
    [
        address_blocks::EVENT_TYPES,
        audit::EVENT_TYPES,
        factors::EVENT_TYPES,
        organizations::EVENT_TYPES,
        scans::EVENT_TYPES,
        sessions::EVENT_TYPES,
        users::EVENT_TYPES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Fields of the payload of this type that stay inside the house: whoever shows events to an
/// organisation leaves them out.
pub fn private_fields(event_type: &str) -> &'static [&'static str] {
    match event_type {
        "audit.sink_set" => &["token"],
        "organization.api_key_issued" | "organization.api_key_rotated" => &["secret_hash"],
        "scan.attempt_started" => &["fence"],
        "second_factor.totp_added" => &["secret"],
        "second_factor.passkey_added" => &["credential_hash"],
        "second_factor.passkey_removed" => &["credential_hash"],
        "second_factor.recovery_codes_issued" => &["code_hashes"],
        "session.started" | "session.refreshed" => &["token_hash"],
        "user.signed_up"
        | "user.password_reset"
        | "user.password_changed"
        | "user.password_rehashed" => &["password_hash"],
        _ => &[],
    }
}

/// The part of its aggregate that an event of this type is about: what it is, and the field of the
/// payload with its id. None for an event about the aggregate itself.
pub fn part(event_type: &str) -> Option<(&'static str, &'static str)> {
    const PARTS: [(&str, &str, &str); 5] = [
        ("audit.sink_", "audit_sink", "sink_id"),
        ("organization.api_key_", "api_key", "key_id"),
        ("organization.invitation_", "invitation", "invitation_id"),
        ("organization.policy_", "policy", "policy_id"),
        ("organization.member_", "member", "user_id"),
    ];
    let found = PARTS.iter().find(|(prefix, ..)| event_type.starts_with(prefix));
    found.map(|(_, kind, field)| (*kind, *field))
}

/// Today's events for one stored payload, of one aggregate's own type.
pub fn decode_as<E: DeserializeOwned>(
    event_type: &str,
    event_version: u32,
    payload: &str,
) -> Result<Vec<E>, DecodeError> {
    let fault = |event_type: &str, version| {
        let event_type = event_type.to_owned();
        move |source| DecodeError::Payload { event_type, version, source }
    };
    // Nearly every event is of today's version, and takes the short way.
    if CHAIN.is_current(event_type, event_version) {
        let event = serde_json::from_str(payload).map_err(fault(event_type, event_version))?;
        return Ok(vec![event]);
    }
    let payload = serde_json::from_str(payload).map_err(fault(event_type, event_version))?;
    let stored = Stored { event_type: event_type.to_owned(), event_version, payload };
    CHAIN
        .upcast(stored)?
        .into_iter()
        .map(|newest| {
            let fault = fault(&newest.event_type, newest.event_version);
            serde_json::from_value(newest.payload).map_err(fault)
        })
        .collect()
}

impl Event {
    /// Today's events for one stored event of the aggregate type `aggregate_type`.
    pub fn decode(
        aggregate_type: &str,
        event_type: &str,
        event_version: u32,
        payload: &str,
    ) -> Result<Vec<Self>, DecodeError> {
        fn all<E: DeserializeOwned>(
            event_type: &str,
            version: u32,
            payload: &str,
            wrap: fn(E) -> Event,
        ) -> Result<Vec<Event>, DecodeError> {
            Ok(decode_as(event_type, version, payload)?.into_iter().map(wrap).collect())
        }
        match aggregate_type {
            address_blocks::TYPE => all(event_type, event_version, payload, Self::AddressBlock),
            audit::TYPE => all(event_type, event_version, payload, Self::Audit),
            factors::TYPE => all(event_type, event_version, payload, Self::Factor),
            organizations::TYPE => all(event_type, event_version, payload, Self::Organization),
            scans::TYPE => all(event_type, event_version, payload, Self::Scan),
            sessions::TYPE => all(event_type, event_version, payload, Self::Session),
            users::TYPE => all(event_type, event_version, payload, Self::User),
            other => Err(DecodeError::Aggregate(other.to_owned())),
        }
    }

    /// What the event means to the job queue, if anything.
    pub fn job_change(&self) -> Option<JobChange> {
        match self {
            Self::AddressBlock(_)
            | Self::Audit(_)
            | Self::Factor(_)
            | Self::Organization(_)
            | Self::Session(_)
            | Self::User(_) => None,
            Self::Scan(event) => event.job_change(),
        }
    }

    /// Shows each personal field of the event, as [`Decide::personal`] does.
    pub fn personal(&mut self, visit: &mut dyn FnMut(PersonalField<'_>)) {
        match self {
            Self::AddressBlock(event) => address_blocks::AddressBlock::personal(event, visit),
            Self::Audit(event) => audit::Audit::personal(event, visit),
            Self::Factor(event) => factors::Factors::personal(event, visit),
            Self::Organization(event) => organizations::Organization::personal(event, visit),
            Self::Scan(event) => scans::Scan::personal(event, visit),
            Self::Session(event) => sessions::Session::personal(event, visit),
            Self::User(event) => users::User::personal(event, visit),
        }
    }

    pub fn event_type(&self) -> String {
        match self {
            Self::AddressBlock(event) => event.event_type(),
            Self::Audit(event) => event.event_type(),
            Self::Factor(event) => event.event_type(),
            Self::Organization(event) => event.event_type(),
            Self::Scan(event) => event.event_type(),
            Self::Session(event) => event.event_type(),
            Self::User(event) => event.event_type(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upcasters_of_the_house_form_a_chain() {
        let current = catalogue().map(|t| (t.name.to_owned(), t.version)).collect();
        assert!(Chain::new(upcasters(), current).is_ok());
    }

    #[test]
    fn an_event_of_an_unknown_aggregate_or_type_is_an_error() {
        assert!(matches!(
            Event::decode("toaster", "toaster.popped", 1, "null"),
            Err(DecodeError::Aggregate(_))
        ));
        assert!(matches!(
            Event::decode("scan", "scan.popped", 1, "null"),
            Err(DecodeError::Upcast(upcast::Error::Unknown { .. }))
        ));
    }
}
