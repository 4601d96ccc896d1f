//! A stream that is not the copy of this log is left as it is.

use journal::{
    Bus,
    relay::{self, Error},
};

use crate::fixture::{
    Log, Running, connect, header, info, last, looked_at, messages, quick, reached,
};

/// Runs a relay for a while and gives its reason not to publish.
async fn refusal(log: &Log, bus: &Bus) -> Error {
    let before = info(bus).await;
    let relay = Running::start(log, bus, quick());
    looked_at(bus, 6).await;
    let status = relay::status(&log.journal, bus).await.unwrap();
    relay.stop().await;
    let after = info(bus).await;
    assert_eq!(after.created, before.created);
    assert_eq!(after.state.last_sequence, before.state.last_sequence);
    assert_eq!(status.last, Some(before.state.last_sequence));
    status.refusal.unwrap()
}

async fn publish_all(log: &Log, bus: &Bus, events: usize) {
    let relay = Running::start(log, bus, quick());
    log.append(events).await;
    reached(bus, events as u64).await;
    relay.stop().await;
}

#[tokio::test]
async fn stream_of_another_log_fails_closed() {
    let (log, other, nats) = (Log::open().await, Log::open().await, testkit::nats().await);
    let bus = connect(&nats).await;
    publish_all(&other, &bus, 10).await;
    log.append(20).await;

    assert!(matches!(refusal(&log, &bus).await, Error::OtherLog { .. }));
    other.assert_copied(&bus).await;
}

#[tokio::test]
async fn a_stream_that_nobody_marked_fails_closed() {
    let (log, nats) = (Log::open().await, testkit::nats().await);
    let bus = connect(&nats).await;
    let config = async_nats::jetstream::stream::Config {
        name: bus.stream("EVENTS"),
        subjects: vec![bus.subject("events.>")],
        ..Default::default()
    };
    bus.jetstream().create_stream(config).await.unwrap();
    log.append(1).await;

    assert!(matches!(refusal(&log, &bus).await, Error::OtherLog { .. }));
}

#[tokio::test]
async fn a_restored_older_log_fails_closed() {
    let (log, nats) = (Log::open().await, testkit::nats().await);
    let bus = connect(&nats).await;
    publish_all(&log, &bus, 10).await;

    let older = log.older_copy().await;
    older.append(5).await;
    let ahead = refusal(&older, &bus).await;
    assert!(matches!(ahead, Error::Ahead { last: 10, head: 5 }), "{ahead}");

    // It goes another way than the stream went.
    older.append(15).await;
    let forked = refusal(&older, &bus).await;
    assert!(matches!(forked, Error::Forked { position: 10, .. }), "{forked}");
    log.assert_copied(&bus).await;
}

#[tokio::test]
async fn a_rebuild_starts_a_new_epoch_of_the_stream() {
    let (log, nats) = (Log::open().await, testkit::nats().await);
    let bus = connect(&nats).await;
    publish_all(&log, &bus, 10).await;
    let older = log.older_copy().await;
    older.append(5).await;
    let relay = Running::start(&older, &bus, quick());
    looked_at(&bus, 3).await;
    assert_eq!(last(&bus).await, 10);

    assert_eq!(relay::rebuild(&older.journal, &bus).await.unwrap(), 2);
    reached(&bus, 5).await;
    older.assert_copied(&bus).await;
    let first = messages(&bus, 1).await.remove(0);
    assert_eq!(header(&first, "Millrace-Epoch"), "2");
    relay.stop().await;

    // What ran on the newer log must not take the stream back.
    let later = refusal(&log, &bus).await;
    assert!(matches!(later, Error::LaterEpoch { stream: 2, log: 1 }), "{later}");
}
