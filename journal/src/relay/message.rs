//! One event as one message: CloudEvents 1.0 in binary mode.

use std::fmt::Write;

use async_nats::{
    HeaderMap, HeaderName,
    header::{NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_ID},
};
use bytes::Bytes;
use chrono::SecondsFormat;
use domain::ids::OrganizationId;

use super::{log::Identity, source::Outgoing};
use crate::Bus;

pub const POSITION: HeaderName = HeaderName::from_static("Millrace-Position");
pub const EPOCH: HeaderName = HeaderName::from_static("Millrace-Epoch");

const SPEC_VERSION: HeaderName = HeaderName::from_static("ce-specversion");
const ID: HeaderName = HeaderName::from_static("ce-id");
const SOURCE: HeaderName = HeaderName::from_static("ce-source");
const TYPE: HeaderName = HeaderName::from_static("ce-type");
const TIME: HeaderName = HeaderName::from_static("ce-time");
const SUBJECT: HeaderName = HeaderName::from_static("ce-subject");
const DATA_SCHEMA: HeaderName = HeaderName::from_static("ce-dataschema");
const CORRELATION: HeaderName = HeaderName::from_static("ce-correlationid");
const CAUSATION: HeaderName = HeaderName::from_static("ce-causationid");
const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// What all messages of one stream have in common.
pub(super) struct Envelope {
    subject: String,
    source: String,
    epoch: String,
}

pub(super) struct Message {
    pub subject: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
}

/// The subject of an organisation's events: `events.<organisation>.<aggregate>.<event>`.
pub fn subject_of(org: OrganizationId, event_type: &str) -> String {
    let (aggregate, event) = event_type.split_once('.').unwrap_or((event_type, "event"));
    format!("events.{org}.{aggregate}.{event}")
}

impl Envelope {
    pub fn new(bus: &Bus, identity: &Identity) -> Self {
        Self {
            subject: bus.subject(""),
            source: format!("urn:millrace:log:{}", identity.log_id),
            epoch: identity.epoch.to_string(),
        }
    }

    pub fn wrap(&self, event: Outgoing) -> Message {
        let id = event.event_id.to_string();
        let time = event.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let event_type = encode(&event.event_type);
        let schema = format!("urn:millrace:event:{event_type}:{}", event.event_version);
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, (event.position - 1).to_string());
        headers.insert(NATS_MESSAGE_ID, id.as_str());
        headers.insert(SPEC_VERSION, "1.0");
        headers.insert(ID, id);
        headers.insert(SOURCE, self.source.as_str());
        headers.insert(TYPE, event_type);
        headers.insert(TIME, time);
        headers.insert(SUBJECT, encode(&event.aggregate_id));
        headers.insert(DATA_SCHEMA, schema);
        headers.insert(CORRELATION, event.correlation_id.to_string());
        if let Some(causation) = event.causation_id {
            headers.insert(CAUSATION, causation.to_string());
        }
        headers.insert(CONTENT_TYPE, "application/json");
        headers.insert(POSITION, event.position.to_string());
        headers.insert(EPOCH, self.epoch.as_str());
        if let Some(parent) = &event.traceparent {
            headers.insert(TRACE_PARENT, encode(parent));
        }
        let subject = format!("{}{}", self.subject, subject_of(event.org, &event.event_type));
        let payload = Bytes::from(event.payload.into_bytes());
        Message { subject, headers, payload }
    }
}

/// Header values are printable ASCII; everything else is percent-encoded, as CloudEvents demands.
fn encode(text: &str) -> String {
    let plain = |byte: u8| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'"' | b'%');
    if text.bytes().all(plain) {
        return text.to_owned();
    }
    text.bytes().fold(String::with_capacity(text.len() + 16), |mut out, byte| {
        if plain(byte) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_value_cannot_break_out_of_its_line() {
        assert_eq!(encode("scan_01h455vb"), "scan_01h455vb");
        assert_eq!(
            encode("a\r\nNats-Msg-Id: \"b\" 100%"),
            "a%0D%0ANats-Msg-Id:%20%22b%22%20100%25"
        );
        assert_eq!(encode("é"), "%C3%A9");
    }
}
