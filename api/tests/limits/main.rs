//! Replicas that keep one limit together over a real NATS server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod replica;

use std::time::Duration;

use api::limits::{LimitOptions, MAX_BUCKETS, Policy, Quota, Subject, clear};
use poem::http::HeaderMap;
use replica::{Replica, until};

const PLENTY: u32 = 1_000_000;
const ANN: Subject<'static> = Subject::Text("ann");
const BOB: Subject<'static> = Subject::Text("bob");

/// So slow that nothing comes back while a test runs.
fn slow(burst: u32) -> LimitOptions {
    let user = Quota::new(burst, Quota::MAX_WINDOW, burst);
    let key = Quota::new(PLENTY, Quota::MAX_WINDOW, PLENTY);
    LimitOptions { user, key, ..LimitOptions::default() }
}

fn admitted(replica: &Replica, times: u32) -> u32 {
    (0..times).filter(|_| !replica.limits.take(Policy::User, &ANN, 1).refused()).count() as u32
}

async fn remaining_is(replica: &Replica, remaining: u32) {
    until(|| replica.limits.peek(Policy::User, &ANN).remaining == remaining).await;
}

#[tokio::test]
async fn what_one_replica_lets_through_the_others_count() {
    let nats = testkit::nats().await;
    let (one, two) =
        (Replica::start(nats.url(), slow(100)).await, Replica::start(nats.url(), slow(100)).await);
    assert_eq!(admitted(&one, 60), 60);
    remaining_is(&two, 40).await;
    assert_eq!(admitted(&two, 100), 40);
    remaining_is(&one, 0).await;
    assert_eq!(admitted(&one, 10), 0);
    assert_eq!(two.limits.peek(Policy::User, &BOB).remaining, 100, "another user has all of it");
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_burst_on_all_replicas_at_once_is_paid_back() {
    let nats = testkit::nats().await;
    let (one, two) =
        (Replica::start(nats.url(), slow(50)).await, Replica::start(nats.url(), slow(50)).await);
    let at_once = admitted(&one, 200) + admitted(&two, 200);
    assert!((50..=100).contains(&at_once), "{at_once}");
    let interval_s = Quota::MAX_WINDOW.as_secs() / 50;
    let excess = u64::from(at_once - 50);
    for replica in [&one, &two] {
        let owed = || replica.limits.take(Policy::User, &ANN, 1).retry_after_s;
        until(|| owed() > excess * interval_s).await;
        assert!(owed() <= (excess + 1) * interval_s, "{at_once} passed, {} s are owed", owed());
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn an_operator_clears_a_limiter_on_every_replica() {
    let nats = testkit::nats().await;
    let (one, two) =
        (Replica::start(nats.url(), slow(10)).await, Replica::start(nats.url(), slow(10)).await);
    one.limits.take(Policy::User, &BOB, 10);
    assert_eq!(admitted(&one, 20), 10);
    remaining_is(&two, 0).await;

    clear(&two.bus, Policy::User, &ANN).await.unwrap();
    remaining_is(&one, 10).await;
    remaining_is(&two, 10).await;
    assert_eq!(
        one.limits.peek(Policy::User, &BOB).remaining,
        0,
        "another user's limiter is as it was"
    );
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn replicas_go_on_alone_without_nats_and_together_when_it_is_back() {
    let mut nats = testkit::nats().await;
    let (one, two) =
        (Replica::start(nats.url(), slow(100)).await, Replica::start(nats.url(), slow(100)).await);
    nats.kill().await;
    assert_eq!(admitted(&one, 30), 30);
    assert_eq!(admitted(&two, 200), 100);
    nats.restart().await;
    until(|| {
        one.limits.take(Policy::Key, &ANN, 100);
        two.limits.peek(Policy::Key, &ANN).remaining < PLENTY
    })
    .await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_replica_tells_the_last_things_when_it_stops() {
    let nats = testkit::nats().await;
    let (one, two) =
        (Replica::start(nats.url(), slow(100)).await, Replica::start(nats.url(), slow(100)).await);
    assert_eq!(admitted(&one, 7), 7);
    one.stop().await;
    remaining_is(&two, 93).await;
    two.stop().await;
}

#[tokio::test]
async fn more_callers_than_there_is_room_for_cost_no_more_memory_and_push_out_no_other_policy() {
    let nats = testkit::nats().await;
    let one = Replica::start(nats.url(), slow(10)).await;
    assert_eq!(admitted(&one, 10), 10);
    for number in 0..3 * MAX_BUCKETS as u32 {
        let address = std::net::Ipv4Addr::from_bits(number).into();
        one.limits.take(Policy::Address, &Subject::Address(address), 1);
    }
    assert!(one.limits.len() <= MAX_BUCKETS + 1, "{}", one.limits.len());
    assert_eq!(admitted(&one, 1), 0);
    one.stop().await;
}

#[tokio::test]
async fn a_key_has_a_quota_of_its_own_and_headers_say_so() {
    let nats = testkit::nats().await;
    let one = Replica::start(nats.url(), LimitOptions::default()).await;
    let quota = Quota::new(60, Duration::from_secs(60), 2);
    let take = || one.limits.take_of(Policy::Key, &ANN, quota, 1);
    let mut headers = HeaderMap::new();
    take().apply(&mut headers);
    assert_eq!(headers["ratelimit-policy"], "\"key\";q=60;w=60");
    assert_eq!(headers["ratelimit"], "\"key\";r=1;t=1");
    assert!(!headers.contains_key("retry-after"));
    take();
    take().apply(&mut headers);
    assert_eq!(headers["ratelimit"], "\"key\";r=0;t=1");
    assert_eq!(headers["retry-after"], "1");
    one.stop().await;
}
