use std::{sync::OnceLock, time::Duration};

use proptest::{collection::vec, prelude::*, sample::select};
use reqwest::{Method, StatusCode, header::HeaderValue};
use serde_json::{Value, json};
use testkit::{misshapen, mutated, odd_text};

use super::against_a_server;
use crate::support::{Answer, Server, soon};

#[derive(Debug, Clone)]
struct Ask {
    method: &'static str,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

const METHODS: [&str; 9] = ["GET", "GET", "GET", "GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT"];
/// Each with what it takes.
const PATHS: [(&str, &[&str]); 16] = [
    ("/v1/scans", &["cursor", "limit", "state", "target_kind"]),
    ("/v1/scans/{id}", &["as_of"]),
    ("/v1/scans/{id}/findings", &["cursor", "limit", "severity", "engine", "status"]),
    ("/v1/scans/{id}/report", &["format"]),
    ("/v1/scans/{id}/logs", &[]),
    ("/v1/scans/{id}/cancel", &[]),
    ("/v1/dead-letters", &["projection", "cursor", "limit"]),
    ("/v1/dead-letters/{id}", &[]),
    ("/v1/projections/{id}/switch", &["accept_differences"]),
    ("/v1/events", &["after", "limit", "types", "aggregate_id"]),
    ("/v1/events/stream", &["after", "types", "aggregate_id"]),
    ("/v1/events/ws", &[]),
    ("/api/scan/{id}", &["as_of"]),
    ("/api/scans", &["limit", "skip"]),
    ("/api/scan", &[]),
    ("/{id}", &[]),
];
/// Values that some parameter takes, and the ends of what numbers can be.
const VALUES: [&str; 19] = [
    "0",
    "1",
    "500",
    "18446744073709551615",
    "18446744073709551615",
    "9223372036854775808",
    "-9223372036854775808",
    "2026-01-01T00:00:00Z",
    "+262142-12-31T23:59:59Z",
    "-262143-01-01T00:00:00Z",
    "0000-01-01T00:00:00+23:59",
    "completed",
    "website",
    "sarif",
    "scan.requested,scan.completed",
    "AQEAAAAAAAAABw",
    "AQF__________w",
    "AQGAAAAAAAAAAA",
    "AQL__________3__________",
];
const HEADERS: [(&str, &str); 17] = [
    ("authorization", "Bearer mr_0123456789abcdefghijklmnopqrstuvwxyz"),
    ("last-event-id", "17"),
    ("last-event-id", "18446744073709551615"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("if-match", "\"3\""),
    ("if-match", "\"18446744073709551615\""),
    ("if-none-match", "W/\"1\", \"2\""),
    ("idempotency-key", "a-key"),
    ("prefer", "respond-async, wait=0"),
    ("prefer", "wait=18446744073709551615"),
    ("millrace-min-position", "1"),
    ("millrace-min-position", "9223372036854775808"),
    ("x-api-key", "mr_0123456789abcdefghijklmnopqrstuvwxyz"),
    ("x-request-id", "01J9-abc_DEF.2"),
    ("origin", "https://app.example.com"),
    ("accept", "application/json"),
    ("content-type", "application/json; charset=utf-8"),
];

fn header() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    select(HEADERS.to_vec()).prop_flat_map(|(name, value)| {
        let value = prop_oneof![
            1 => Just(value.as_bytes().to_vec()),
            2 => mutated(vec![value.as_bytes().to_vec()]),
        ];
        // What HTTP itself refuses does not come as far as the front end.
        let carried = |byte: &u8| *byte >= b' ' && *byte != 127;
        value.prop_map(move |value| (name, value.into_iter().filter(carried).take(2000).collect()))
    })
}

fn query(name: &'static str) -> impl Strategy<Value = (&'static str, String)> {
    let odd = odd_text().prop_map(|text| text.chars().take(500).collect());
    let values = select(VALUES.to_vec()).prop_map(str::to_owned);
    (Just(name), prop_oneof![3 => values, 1 => odd])
}

/// A path and some of what it takes, or what it has never heard of.
fn place() -> impl Strategy<Value = (&'static str, Vec<(&'static str, String)>)> {
    select(PATHS.to_vec()).prop_flat_map(|(path, names)| {
        let names = if names.is_empty() { vec!["unknown"] } else { names.to_vec() };
        (Just(path), vec(select(names).prop_flat_map(query), 0..=2))
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let samples = vec![
        json!({ "target": { "kind": "website", "url": "https://example.org/a?b#c" } }),
        json!({ "target": { "kind": "repository", "path": "/srv/a" }, "profile": "full",
                "engines": ["secrets", "dependencies"] }),
        json!({ "target": { "kind": "repository", "url": "ssh://git@example.org/a.git" } }),
    ];
    let bytes = samples.iter().map(|sample| sample.to_string().into_bytes()).collect();
    let shaped = misshapen(samples).prop_map(|value| value.to_string().into_bytes());
    prop_oneof![2 => shaped, 1 => mutated(bytes)]
}

fn ask() -> impl Strategy<Value = Ask> {
    let id = prop_oneof![
        3 => Just("{id}".to_owned()),
        1 => mutated(vec![b"scan_01h455vb4pex5vsknk084sn02q".to_vec()])
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).chars().take(200).collect()),
    ];
    let fields = (
        select(METHODS.to_vec()),
        id,
        place(),
        vec(header(), 0..=3),
        proptest::option::weighted(0.6, body()),
    );
    fields.prop_map(|(method, id, (path, query), headers, body)| {
        let id = if id == "{id}" { id } else { escaped(&id) };
        let pairs: Vec<_> =
            query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let path = format!("{}?{}", path.replace("{id}", &id), pairs.join("&"));
        Ask { method, path, query, headers, body }
    })
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The answer; of one without an end only its beginning.
async fn carry_out(server: &Server, ask: &Ask, id: &str) -> Answer {
    let method: Method = ask.method.parse().unwrap();
    let mut request = server.request(method, &ask.path.replace("{id}", id));
    if ask.body.is_some() && ask.headers.iter().all(|(name, _)| *name != "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in &ask.headers {
        request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
    }
    if let Some(body) = &ask.body {
        request = request.body(body.clone());
    }
    let mut response = soon(request.send()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let live = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let text = if live {
        let begin = soon(response.chunk()).await.unwrap().unwrap_or_default();
        String::from_utf8_lossy(&begin).into_owned()
    } else {
        soon(response.text()).await.unwrap()
    };
    Answer { status, headers, text }
}

fn check(ask: &Ask, answer: &Answer) -> Result<(), TestCaseError> {
    let status = answer.status;
    let stale = status == StatusCode::SERVICE_UNAVAILABLE;
    prop_assert!(!status.is_server_error() || stale, "{status}: {}", answer.text);
    if ask.method == "HEAD" {
        return Ok(());
    }
    if stale {
        prop_assert_eq!(answer.code(), "stale-read");
        prop_assert!(!answer.header("retry-after").is_empty());
    } else if status.is_client_error() {
        prop_assert_ne!(answer.code(), "");
    } else if answer.header("content-type") == "application/json" {
        events_are_after(ask, &answer.json())?;
    }
    Ok(())
}

/// Reading on after a position gives nothing that stands before it.
fn events_are_after(ask: &Ask, page: &Value) -> Result<(), TestCaseError> {
    let after = ask.query.iter().find(|(name, _)| *name == "after");
    let after = after.and_then(|(_, text)| text.parse::<u64>().ok());
    let (Some(after), Some(events)) = (after, page["events"].as_array()) else { return Ok(()) };
    for event in events {
        prop_assert!(event["position"].as_u64().unwrap() > after, "{event} is after {after}?");
    }
    prop_assert!(page["next_after"].as_u64().unwrap() >= after);
    Ok(())
}

#[test]
fn no_request_is_answered_without_its_form() {
    let ids = OnceLock::new();
    against_a_server(1200, Duration::from_millis(20), &ask(), async |server, ask| {
        if ids.get().is_none() {
            ids.set(server.queued(&server.owner).await.to_string()).unwrap();
        }
        let answer = carry_out(server, &ask, ids.get().unwrap()).await;
        check(&ask, &answer)
    });
}
