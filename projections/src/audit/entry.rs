//! One row of the audit log.

use domain::{event, ids::UserId, scans, sessions};
use journal::{Recorded, origin};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::changes::Fields;
use crate::event::{LogEvent, storable};

/// Where the trace id lies in a `traceparent`.
const TRACE_ID: std::ops::Range<usize> = 3..35;

pub(super) struct Row<'a> {
    pub recorded: &'a Recorded,
    pub resource: Resource,
    /// What the event set; none when that is too much or cannot be read.
    pub set: Option<Set<'a>>,
    pub person: Option<Uuid>,
    /// Nothing of the resource is left.
    pub removes: bool,
}

pub(super) enum Set<'a> {
    /// Of a scan, as they stand in the event.
    OfScan(Fields<&'a RawValue>),
    Fields(Fields),
}

/// One person can be a member of several organisations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resource {
    pub org: Uuid,
    pub kind: String,
    pub id: String,
}

impl<'a> Row<'a> {
    pub fn of(event: &'a LogEvent) -> Self {
        let recorded = &event.recorded;
        let (resource, id_field) = Resource::of(recorded);
        let person = recorded.metadata.get(origin::PERSON).and_then(|id| id.parse::<UserId>().ok());
        // Of an event that cannot be read nobody knows what in it is personal.
        let decoded = event.decode().ok();
        let set = decoded.and_then(|events| {
            if recorded.aggregate_type == scans::TYPE {
                return Fields::of_scan(recorded).map(Set::OfScan);
            }
            Fields::of(recorded, events, id_field).map(Set::Fields)
        });
        Self {
            resource,
            set,
            person: person.map(|user| user.uuid()),
            removes: !id_field.is_empty() && recorded.event_type.ends_with("removed"),
            recorded,
        }
    }

    /// Whether its fields are kept, to be shown when they are changed. Jobs and sessions go on by
    /// themselves, and nobody changes them.
    pub fn is_remembered(&self) -> bool {
        !matches!(self.recorded.aggregate_type.as_str(), scans::TYPE | sessions::TYPE)
    }

    pub fn metadata(&self, name: &str) -> Option<String> {
        self.recorded.metadata.get(name).map(|text| storable(text))
    }

    pub fn trace_id(&self) -> Option<&str> {
        self.recorded.metadata.get("traceparent").and_then(|parent| parent.get(TRACE_ID))
    }
}

impl Resource {
    /// What the event is about, and the field that says so.
    fn of(recorded: &Recorded) -> (Self, &'static str) {
        let org = recorded.org.uuid();
        if let Some((kind, field)) = event::part(&recorded.event_type)
            && let Some(id) = text_field(recorded.payload.get(), field)
        {
            return (Self { org, kind: kind.to_owned(), id: storable(&id) }, field);
        }
        let (kind, id) = (&recorded.aggregate_type, &recorded.aggregate_id);
        (Self { org, kind: storable(kind), id: storable(id) }, "")
    }
}

fn text_field(payload: &str, name: &str) -> Option<String> {
    let payload: serde_json::Value = serde_json::from_str(payload).ok()?;
    payload.get(name)?.as_str().map(str::to_owned)
}
