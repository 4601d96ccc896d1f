use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use domain::{
    Timestamp, event,
    ids::{OrganizationId, ScanId},
    organizations, scans,
};
use journal::{Filter, Recorded, origin};
use poem_openapi::{Object, types::Any};
use serde::Serialize;
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{live, problem::Problem};

/// Bytes of payload after which a page is full.
pub(super) const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// An event of the log.
#[derive(Debug, Object)]
#[oai(rename = "Event")]
pub(crate) struct Envelope {
    /// Place in the log; no two events share one, and none is left out.
    position: u64,
    id: String,
    #[oai(rename = "type")]
    event_type: String,
    /// Version of the form of `data`.
    version: u32,
    aggregate_type: String,
    aggregate_id: String,
    /// Place among the events of the aggregate, from 1.
    sequence: u64,
    recorded_at: Timestamp,
    /// Who did it: `api_key:<id>`, `system:<role>` or `operator`.
    actor: String,
    /// Shared by everything that followed from one request.
    correlation_id: String,
    /// The event that led to this one.
    #[oai(skip_serializing_if_is_none)]
    causation_id: Option<String>,
    /// `request_id`, `traceparent` and `operation` of the request that led to it.
    metadata: BTreeMap<String, String>,
    /// What happened, as the schema of the type says, without the fields that it marks `x-private`.
    data: Any<Value>,
}

#[derive(Debug, Object)]
pub(crate) struct EventPage {
    pub events: Vec<Envelope>,
    /// Send it as `after` to read on, also when there are no events yet.
    pub next_after: u64,
}

impl From<&Recorded> for Envelope {
    fn from(event: &Recorded) -> Self {
        Self {
            position: event.position,
            id: event.event_id.to_string(),
            event_type: event.event_type.clone(),
            version: event.event_version,
            aggregate_type: event.aggregate_type.clone(),
            aggregate_id: event.aggregate_id.clone(),
            sequence: event.sequence,
            recorded_at: event.recorded_at,
            actor: event.actor.clone(),
            correlation_id: event.correlation_id.to_string(),
            causation_id: event.causation_id.map(|id| id.to_string()),
            metadata: shown(event).map(|(name, text)| (name.clone(), text.clone())).collect(),
            // The log holds nothing that is not JSON.
            data: Any(serde_json::from_str(public(event).get()).unwrap_or_default()),
        }
    }
}

/// The same fields, with the payload as it lies in the log but for what is private.
#[derive(Serialize)]
struct Line<'a> {
    position: u64,
    id: uuid::Uuid,
    #[serde(rename = "type")]
    event_type: &'a str,
    version: u32,
    aggregate_type: &'a str,
    aggregate_id: &'a str,
    sequence: u64,
    recorded_at: Timestamp,
    actor: &'a str,
    correlation_id: uuid::Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<uuid::Uuid>,
    metadata: BTreeMap<&'a String, &'a String>,
    data: &'a RawValue,
}

/// What of the metadata is for readers: where a command came from is shown by the audit log, to whoever
/// may see it.
fn shown(event: &Recorded) -> impl Iterator<Item = (&String, &String)> {
    let origin = [origin::ADDRESS, origin::USER_AGENT, origin::PERSON];
    event.metadata.iter().filter(move |(name, _)| !origin.contains(&name.as_str()))
}

/// The payload without what stays inside the house.
fn public(event: &Recorded) -> Cow<'_, RawValue> {
    let (private, payload) = (event::private_fields(&event.event_type), event.payload.get());
    let shown = if private.is_empty() {
        serde_json::from_str(payload).map(Cow::Borrowed)
    } else {
        let fields = serde_json::from_str::<BTreeMap<String, &RawValue>>(payload);
        let shown = fields.and_then(|mut fields| {
            fields.retain(|name, _| !private.contains(&name.as_str()));
            to_raw_value(&fields)
        });
        shown.map(Cow::Owned)
    };
    // What has no fields cannot be told apart, so nothing of it is shown.
    shown.unwrap_or(Cow::Borrowed(RawValue::NULL))
}

/// The envelope as JSON of one line.
pub(super) fn line(event: &Recorded) -> String {
    let data = public(event);
    let line = Line {
        position: event.position,
        id: event.event_id,
        event_type: &event.event_type,
        version: event.event_version,
        aggregate_type: &event.aggregate_type,
        aggregate_id: &event.aggregate_id,
        sequence: event.sequence,
        recorded_at: event.recorded_at,
        actor: &event.actor,
        correlation_id: event.correlation_id,
        causation_id: event.causation_id,
        metadata: shown(event).collect(),
        data: &data,
    };
    serde_json::to_string(&line).unwrap_or_default()
}

pub(super) fn server_sent(event: &Recorded) -> Bytes {
    live::event(event.position, &event.event_type, &line(event))
}

/// Which events a reader wants.
#[derive(Debug)]
pub(super) struct Wanted {
    types: Vec<String>,
    aggregate: Option<(&'static str, String)>,
}

impl Wanted {
    pub fn new(types: Option<&str>, aggregate_id: Option<&str>) -> Result<Self, Problem> {
        let types = types.into_iter().flat_map(|list| list.split(','));
        let types = types.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Self::of(types.collect(), aggregate_id)
    }

    pub fn of(types: Vec<String>, aggregate_id: Option<&str>) -> Result<Self, Problem> {
        for name in &types {
            if !event::catalogue().any(|known| known.name == name) {
                let message = "it must name event types, such as `scan.completed`";
                return Err(Problem::parameter("types", message));
            }
        }
        let aggregate = aggregate_id.map(aggregate).transpose()?;
        Ok(Self { types, aggregate })
    }

    pub fn filter(self, org: OrganizationId) -> Filter {
        Filter { org: Some(org), aggregate: self.aggregate, event_types: self.types }
    }
}

/// The id says of which type the aggregate is.
fn aggregate(id: &str) -> Result<(&'static str, String), Problem> {
    let aggregate_type = if id.parse::<ScanId>().is_ok() {
        scans::TYPE
    } else if id.parse::<OrganizationId>().is_ok() {
        organizations::TYPE
    } else {
        let message = "it must be the id of a resource, such as `scan_01h455vb4pex5vsknk084sn02q`";
        return Err(Problem::parameter("aggregate_id", message));
    };
    Ok((aggregate_type, id.to_owned()))
}
