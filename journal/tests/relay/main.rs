//! The stream is the log again, whatever happens to either of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod losses;
mod personal;
mod refusals;

use std::collections::BTreeMap;

use domain::ids::OrganizationId;
use fixture::{Log, Running, connect, header, info, messages, quick, reached, request};
use journal::{Clock, SystemClock, relay::RelayOptions};

#[tokio::test]
async fn an_event_becomes_one_cloud_event() {
    let (log, nats) = (Log::open().await, testkit::nats().await);
    let bus = connect(&nats).await;
    let relay = Running::start(&log, &bus, quick());
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut given = request(1);
    given.org = org;
    given.aggregate_id = "org_é".into();
    given.causation_id = Some(SystemClock.new_id());
    given.metadata = [("traceparent".to_owned(), traceparent.to_owned())].into();
    log.journal.append_request(given.clone()).await.unwrap();
    reached(&bus, 1).await;
    relay.stop().await;

    let event = log.journal.at(1).await.unwrap().unwrap();
    let message = messages(&bus, 1).await.remove(0);
    assert_eq!(message.subject.as_str(), format!("test.events.{org}.organization.created"));
    assert_eq!(message.payload, given.events[0].payload.get().as_bytes());
    let log_id = journal::relay::status(&log.journal, &bus).await.unwrap().log_id;
    let expected = BTreeMap::from([
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", event.event_id.to_string()),
        ("ce-source", format!("urn:millrace:log:{log_id}")),
        ("ce-type", "organization.created".into()),
        ("ce-time", event.recorded_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)),
        ("ce-subject", "org_%C3%A9".into()),
        ("ce-dataschema", "urn:millrace:event:organization.created:1".into()),
        ("ce-correlationid", event.correlation_id.to_string()),
        ("ce-causationid", event.causation_id.unwrap().to_string()),
        ("content-type", "application/json".into()),
        ("traceparent", traceparent.into()),
        ("Millrace-Position", "1".into()),
        ("Millrace-Epoch", "1".into()),
        ("Nats-Msg-Id", event.event_id.to_string()),
        ("Nats-Expected-Last-Sequence", "0".into()),
    ]);
    let found = expected.keys().map(|name| (*name, header(&message, name))).collect();
    assert_eq!(expected, found);
    assert_eq!(message.headers.as_ref().unwrap().len(), expected.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_resumes_after_kill() {
    const EVENTS: usize = 6000;
    let (log, mut nats) = (Log::open().await, testkit::nats().await);
    let bus = connect(&nats).await;
    let first = Running::start(&log, &bus, quick());
    let appending = log.keep_appending(EVENTS);

    reached(&bus, 1000).await;
    first.abort().await;
    let second = Running::start(&log, &connect(&nats).await, quick());
    reached(&bus, 2500).await;
    nats.kill().await;
    nats.restart().await;
    reached(&bus, 4000).await;
    nats.kill().await;
    nats.restart().await;

    appending.await.unwrap();
    reached(&bus, EVENTS as u64).await;
    second.stop().await;
    log.assert_copied(&bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relays_never_interleave() {
    const EVENTS: usize = 5000;
    let (log, nats) = (Log::open().await, testkit::nats().await);
    let bus = connect(&nats).await;
    let first = Running::start(&log, &bus, quick());
    let second = Running::start(&log, &connect(&nats).await, quick());
    let appending = log.keep_appending(EVENTS);
    reached(&bus, 1500).await;
    first.abort().await;
    reached(&bus, 3000).await;
    let third = Running::start(&log, &connect(&nats).await, quick());
    appending.await.unwrap();
    reached(&bus, EVENTS as u64).await;
    log.append(10).await;
    reached(&bus, EVENTS as u64 + 10).await;
    second.stop().await;
    third.stop().await;

    assert_eq!(info(&bus).await.state.last_sequence, EVENTS as u64 + 10);
    log.assert_copied(&bus).await;
}

#[tokio::test]
async fn old_messages_go_when_the_stream_is_bounded() {
    let (log, nats) = (Log::open().await, testkit::nats().await);
    let bus = connect(&nats).await;
    let options = RelayOptions { max_bytes: Some(64 * 1024), ..quick() };
    let relay = Running::start(&log, &bus, options.clone());
    log.append(1000).await;
    reached(&bus, 1000).await;
    relay.stop().await;
    let before = info(&bus).await;
    assert!(before.state.first_sequence > 1);

    // The next relay takes the missing ones for what they are.
    let relay = Running::start(&log, &bus, options);
    log.append(1).await;
    reached(&bus, 1001).await;
    relay.stop().await;
    let after = info(&bus).await;
    assert_eq!(after.created, before.created);
    let newest = messages(&bus, after.state.messages as usize).await.pop().unwrap();
    assert_eq!(header(&newest, "Millrace-Position"), "1001");
}
