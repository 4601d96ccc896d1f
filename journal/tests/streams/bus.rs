use std::sync::Arc;

use journal::{Bus, BusError, BusOptions, Journal, SystemClock, doorbell};
use tokio_util::sync::CancellationToken;

use crate::fixture::{connect, organization, soon};

fn options(url: &str, prefix: &str) -> BusOptions {
    BusOptions { url: url.into(), prefix: prefix.into(), replicas: 1, name: "test".into() }
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
    let org = organization();
    let context = journal::Context::new(org, journal::Actor::Operator, org.uuid());
    let command = domain::organizations::OrganizationCommand::Create {
        name: "a".into(),
        slug: "a".into(),
        now: journal::Clock::now(&SystemClock),
    };
    let committed = processes[0]
        .execute::<domain::organizations::Organization>(&context, &org.to_string(), command)
        .await
        .unwrap();
    soon(head.wait_for(|head| *head == committed.position)).await.unwrap();

    // A ring for what is not there changes nothing.
    let bus = connect(&nats).await;
    bus.client().publish(bus.subject("doorbell.head"), "99999999".into()).await.unwrap();
    bus.client().publish(bus.subject("doorbell.head"), "nonsense".into()).await.unwrap();
    bus.client().flush().await.unwrap();
    processes[0].head().await.unwrap();
    assert_eq!(*head.borrow(), committed.position);
    stop.cancel();
}
