use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use domain::organizations::{Organization, OrganizationCommand};
use journal::{Actor, Bus, BusError, BusOptions, Clock, Context, Journal, SystemClock, doorbell};
use tokio_util::sync::CancellationToken;

use crate::fixture::{connect, organization, soon};

fn options(url: &str, prefix: &str) -> BusOptions {
    BusOptions { url: url.into(), prefix: prefix.into(), replicas: 1, name: "test".into() }
}

/// Seconds that a process that only polls would need.
const POLLS: u64 = 20;

async fn create(journal: &Journal) {
    let org = organization();
    let command = OrganizationCommand::Create {
        name: "a".into(),
        slug: org.uuid().to_string(),
        now: SystemClock.now(),
    };
    let context = Context::new(org, Actor::Operator, org.uuid());
    journal.execute::<Organization>(&context, &org.to_string(), command).await.unwrap();
}

#[tokio::test]
async fn names_carry_the_prefix_of_the_installation() {
    let nats = testkit::nats().await;
    let bus = connect(&nats).await;
    assert_eq!(bus.stream("EVENTS"), "test_EVENTS");
    assert_eq!(bus.subject("events.>"), "test.events.>");
    let bare = Bus::connect(options(nats.url(), "")).await.unwrap();
    assert_eq!(bare.stream("EVENTS"), "EVENTS");
    assert_eq!(bare.subject("events.>"), "events.>");
    let wrong = Bus::connect(options(nats.url(), "a.*")).await;
    assert!(matches!(wrong, Err(BusError::Prefix(_))));
}

#[tokio::test]
async fn the_doorbell_tells_other_processes_that_the_log_has_grown() {
    let (database, nats) = (testkit::database().await, testkit::nats().await);
    journal::migrate(&database.pool()).await.unwrap();
    let stop = CancellationToken::new();
    let mut processes = Vec::new();
    for _ in 0..2 {
        let clock = Arc::new(SystemClock);
        let (journal, _) = Journal::open(database.pool(), clock, stop.clone()).await.unwrap();
        tokio::spawn(doorbell::run(journal.clone(), connect(&nats).await, stop.clone()));
        processes.push(journal);
    }
    let mut head = processes[1].watch_head();
    // Each is waited for: the poll alone, once a second, would take far longer for all of them.
    let begun = Instant::now();
    for position in 1..=POLLS {
        create(&processes[0]).await;
        soon(head.wait_for(|head| *head == position)).await.unwrap();
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(POLLS) / 2, "the doorbell was not heard: {took:?}");

    // A ring for what is not there changes nothing. It is heard before that of the next event.
    let bus = connect(&nats).await;
    for ring in ["99999999", "nonsense"] {
        bus.client().publish(bus.subject("doorbell.head"), ring.into()).await.unwrap();
    }
    bus.client().flush().await.unwrap();
    create(&processes[0]).await;
    let reached = *soon(head.wait_for(|head| *head > POLLS)).await.unwrap();
    assert_eq!(reached, POLLS + 1);
    stop.cancel();
}
