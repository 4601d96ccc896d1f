//! Whatever the stream loses is published again.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
};

use journal::{Bus, relay};
use testkit::TestNats;

use crate::fixture::{
    Log, Running, connect, consume, durable, holds, last, quick, reached, stream,
};

async fn filled(events: usize) -> (Log, TestNats, Bus) {
    let (log, nats) = (Log::open().await, testkit::nats().await);
    let bus = connect(&nats).await;
    let relay = Running::start(&log, &bus, quick());
    log.append(events).await;
    reached(&bus, events as u64).await;
    relay.stop().await;
    (log, nats, bus)
}

/// Where the server keeps a stream of the account that tests use.
fn folder_of_stream(nats: &TestNats, bus: &Bus) -> PathBuf {
    let accounts = fs::read_dir(nats.store_dir().join("jetstream")).unwrap();
    let name = bus.stream("EVENTS");
    let streams = accounts.map(|account| account.unwrap().path().join("streams").join(&name));
    streams.into_iter().find(|stream| stream.is_dir()).unwrap()
}

/// Copies a folder of files that the server can then use as its own.
fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    let owner = fs::metadata(from).unwrap();
    chown(to, Some(owner.uid()), Some(owner.gid())).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let copy = to.join(entry.file_name());
        fs::copy(entry.path(), &copy).unwrap();
        chown(copy, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
}

#[tokio::test]
async fn truncated_stream_is_republished() {
    let (log, mut nats, bus) = filled(30).await;
    durable(&bus).await;
    // The last messages are lost and the consumer is not, as after a disk that lied.
    nats.stop().await;
    let messages = folder_of_stream(&nats, &bus).join("msgs");
    let kept = messages.with_file_name("kept");
    copy_files(&messages, &kept);
    nats.restart().await;
    let relay = Running::start(&log, &bus, quick());
    log.append(20).await;
    assert_eq!(consume(&bus, 50).await, (1..=50).collect::<Vec<_>>());
    relay.stop().await;
    nats.stop().await;
    fs::remove_dir_all(&messages).unwrap();
    fs::rename(&kept, &messages).unwrap();
    nats.restart().await;
    assert_eq!(last(&bus).await, 30);

    let relay = Running::start(&log, &bus, quick());
    reached(&bus, 50).await;
    log.append(5).await;
    assert_eq!(consume(&bus, 25).await, (31..=55).collect::<Vec<_>>());
    relay.stop().await;
    log.assert_copied(&bus).await;
}

#[tokio::test]
async fn an_emptied_stream_is_republished() {
    let (log, mut nats, bus) = filled(50).await;
    durable(&bus).await;
    assert_eq!(consume(&bus, 50).await, (1..=50).collect::<Vec<_>>());
    nats.stop().await;
    fs::remove_dir_all(folder_of_stream(&nats, &bus).join("msgs")).unwrap();
    nats.restart().await;
    assert_eq!(last(&bus).await, 0);

    let relay = Running::start(&log, &bus, quick());
    reached(&bus, 50).await;
    assert_eq!(consume(&bus, 50).await, (1..=50).collect::<Vec<_>>());
    relay.stop().await;
    log.assert_copied(&bus).await;
}

#[tokio::test]
async fn a_purged_stream_is_made_again_with_its_consumers() {
    let (log, _nats, bus) = filled(50).await;
    durable(&bus).await;
    consume(&bus, 20).await;
    stream(&bus).await.unwrap().purge().await.unwrap();
    let status = relay::status(&log.journal, &bus).await.unwrap();
    assert_eq!(status.broken, Some("its last message is gone"));

    let relay = Running::start(&log, &bus, quick());
    holds(&bus, 50).await;
    assert_eq!(consume(&bus, 50).await, (1..=50).collect::<Vec<_>>());
    relay.stop().await;
    log.assert_copied(&bus).await;
}

#[tokio::test]
async fn a_lost_store_is_noticed_while_nothing_is_appended() {
    let (log, mut nats, bus) = filled(50).await;
    let relay = Running::start(&log, &bus, quick());
    nats.kill().await;
    fs::remove_dir_all(nats.store_dir()).unwrap();
    nats.restart().await;

    reached(&bus, 50).await;
    relay.stop().await;
    log.assert_copied(&bus).await;
}
