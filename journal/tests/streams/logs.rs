use domain::ids::OrganizationId;
use futures::{StreamExt, TryStreamExt};
use journal::{
    Clock, SystemClock,
    logs::{Error, LogLine, LogSource, LogStream},
};
use proptest::{
    prelude::Strategy,
    prop_oneof,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::json;
use testkit::{misshapen, mutated};

use crate::fixture::{connect, organization, soon, wipe};

async fn print(logs: &LogStream, org: OrganizationId, job: &str, texts: &[&str]) {
    for text in texts {
        let line =
            LogLine { at: SystemClock.now(), stream: LogSource::Out, text: (*text).to_owned() };
        logs.publish(org, job, &line).await;
    }
}

async fn texts(lines: impl futures::Stream<Item = Result<(u64, LogLine), Error>>) -> Vec<String> {
    soon(lines.map_ok(|(_, line)| line.text).try_collect()).await.unwrap()
}

#[tokio::test]
async fn a_follower_sees_all_lines_from_the_start_and_then_live_to_the_end() {
    let nats = testkit::nats().await;
    let logs = LogStream::open(&connect(&nats).await).await.unwrap();
    let org = organization();
    print(&logs, org, "scan_1", &["one", "two"]).await;
    print(&logs, org, "scan_2", &["of another job"]).await;
    let mut lines = logs.follow(org, "scan_1", None).await.unwrap();
    let (_, first) = soon(lines.next()).await.unwrap().unwrap();
    assert_eq!(first.text, "one");
    let (second_at, second) = soon(lines.next()).await.unwrap().unwrap();
    assert_eq!(second.text, "two");

    print(&logs, org, "scan_1", &["three"]).await;
    assert_eq!(soon(lines.next()).await.unwrap().unwrap().1.text, "three");
    logs.end(org, "scan_1").await;
    assert!(soon(lines.next()).await.is_none());

    let all = logs.follow(org, "scan_1", None).await.unwrap();
    assert_eq!(texts(all).await, ["one", "two", "three"]);
    let rest = logs.follow(org, "scan_1", Some(second_at)).await.unwrap();
    assert_eq!(texts(rest).await, ["three"]);
    // It is no line of this job, whose end was before it.
    print(&logs, org, "scan_2", &["later", "still later"]).await;
    let mut other = logs.follow(org, "scan_2", None).await.unwrap().skip(1);
    let (later, _) = soon(other.next()).await.unwrap().unwrap();
    for lines in [
        logs.follow(org, "scan_1", Some(later)).await.unwrap(),
        logs.stored(org, "scan_1", Some(later)).await.unwrap(),
    ] {
        assert!(texts(lines).await.is_empty());
    }
    let strange = logs.follow(org, "scan_1", Some(7)).await.unwrap();
    assert_eq!(texts(strange).await, ["one", "two", "three"]);
}

#[tokio::test]
async fn stored_lines_end_without_a_mark() {
    let nats = testkit::nats().await;
    let logs = LogStream::open(&connect(&nats).await).await.unwrap();
    let org = organization();
    print(&logs, org, "scan_1", &["one", "two"]).await;
    let mut live = logs.follow(org, "scan_1", None).await.unwrap();
    soon(live.next()).await.unwrap().unwrap();
    let (last, _) = soon(live.next()).await.unwrap().unwrap();

    assert_eq!(texts(logs.stored(org, "scan_1", None).await.unwrap()).await, ["one", "two"]);
    assert!(texts(logs.stored(org, "scan_1", Some(last)).await.unwrap()).await.is_empty());
    assert!(texts(logs.stored(org, "scan_9", None).await.unwrap()).await.is_empty());
}

#[tokio::test]
async fn what_was_handed_over_is_stored_after_a_flush() {
    let nats = testkit::nats().await;
    let logs = LogStream::open(&connect(&nats).await).await.unwrap();
    let org = organization();
    let given: Vec<_> = (0..1000).map(|n| n.to_string()).collect();
    print(&logs, org, "scan_1", &given.iter().map(String::as_str).collect::<Vec<_>>()).await;
    logs.flush().await;
    assert_eq!(texts(logs.stored(org, "scan_1", None).await.unwrap()).await, given);
}

#[tokio::test]
async fn a_line_that_is_refused_alone_is_never_told_after_later_ones() {
    let nats = testkit::nats().await;
    let bus = connect(&nats).await;
    let logs = LogStream::open(&bus).await.unwrap();
    let (org, jetstream) = (organization(), bus.jetstream());
    let stream = jetstream.get_stream(bus.stream("LOGS")).await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.max_message_size = 1000;
    jetstream.update_stream(&config).await.unwrap();
    print(&logs, org, "scan_1", &["one", &"two".repeat(1000), "three"]).await;
    let mut lines = logs.follow(org, "scan_1", None).await.unwrap();
    for expected in ["one", "three"] {
        assert_eq!(soon(lines.next()).await.unwrap().unwrap().1.text, expected);
    }

    // From now on the second line would be taken, were it sent again.
    config.max_message_size = -1;
    jetstream.update_stream(&config).await.unwrap();
    print(&logs, org, "scan_1", &["four"]).await;
    logs.flush().await;
    let stored = texts(logs.stored(org, "scan_1", None).await.unwrap()).await;
    assert_eq!(stored, ["one", "three", "four"]);
}

#[tokio::test]
async fn a_long_line_is_cut_between_characters() {
    let nats = testkit::nats().await;
    let logs = LogStream::open(&connect(&nats).await).await.unwrap();
    let org = organization();
    print(&logs, org, "scan_1", &[&"é".repeat(20_000)]).await;
    logs.end(org, "scan_1").await;
    let lines = texts(logs.follow(org, "scan_1", None).await.unwrap()).await;
    assert_eq!(lines, ["é".repeat(8192)]);
}

#[tokio::test]
async fn damaged_lines_are_passed_over() {
    let nats = testkit::nats().await;
    let bus = connect(&nats).await;
    let logs = LogStream::open(&bus).await.unwrap();
    let org = organization();
    print(&logs, org, "scan_1", &["one"]).await;
    logs.flush().await;
    let sample = json!({ "kind": "line", "at": "2026-01-01T00:00:00Z", "stream": "out",
        "text": "odd" });
    let shaped = misshapen(vec![sample.clone()]).prop_map(|value| value.to_string().into_bytes());
    let damaged = prop_oneof![shaped, mutated(vec![sample.to_string().into_bytes()])];
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..200 {
        let line = damaged.new_tree(&mut runner).unwrap().current();
        let subject = bus.subject(&format!("logs.{org}.scan_1"));
        bus.client().publish(subject, line.into()).await.unwrap();
    }
    bus.client().flush().await.unwrap();
    print(&logs, org, "scan_1", &["two"]).await;
    logs.end(org, "scan_1").await;
    let lines = texts(logs.follow(org, "scan_1", None).await.unwrap()).await;
    assert_eq!((lines.first(), lines.last()), (Some(&"one".to_owned()), Some(&"two".to_owned())));
}

#[tokio::test]
async fn a_follower_of_lost_lines_is_told_so() {
    let mut nats = testkit::nats().await;
    let logs = LogStream::open(&connect(&nats).await).await.unwrap();
    let org = organization();
    print(&logs, org, "scan_1", &["one"]).await;
    let mut lines = logs.follow(org, "scan_1", None).await.unwrap();
    soon(lines.next()).await.unwrap().unwrap();
    wipe(&mut nats).await;
    assert!(matches!(soon(lines.next()).await, Some(Err(Error::Lost))));
    assert!(lines.next().await.is_none());

    // The next line makes the stream again.
    print(&logs, org, "scan_1", &["two"]).await;
    logs.end(org, "scan_1").await;
    assert_eq!(texts(logs.follow(org, "scan_1", None).await.unwrap()).await, ["two"]);
}
