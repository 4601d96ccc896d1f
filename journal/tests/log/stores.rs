use cqrs_es::{EventStore, persist::PersistedEventStore};
use domain::{
    Decide,
    ids::{ApiKeyId, OrganizationId},
    organizations::Organization,
};
use journal::{Clock, SystemClock};
use postgres_es::PostgresEventRepository;

use crate::support::{Log, context, create, issue_key};

#[tokio::test]
async fn a_stock_postgres_es_store_reads_the_same_aggregate() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let id = org.to_string();
    create(&log.journal, org, "acme").await.unwrap();
    let key_id = ApiKeyId::from_uuid(SystemClock.new_id());
    log.journal.execute::<Organization>(&context(org), &id, issue_key(key_id)).await.unwrap();

    let stock = PersistedEventStore::<_, Organization>::new_event_store(
        PostgresEventRepository::new(log.pool.clone()),
    );
    let theirs: Vec<_> =
        stock.load_events(&id).await.unwrap().into_iter().map(|event| event.payload).collect();
    let store = log.journal.store(context(org));
    let ours: Vec<_> = EventStore::<Organization>::load_events(&store, &id)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.payload)
        .collect();
    assert_eq!(theirs, ours);
    assert_eq!(ours.len(), 2);
}

#[tokio::test]
async fn the_store_of_cqrs_es_commits_once_per_version() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let id = org.to_string();
    create(&log.journal, org, "acme").await.unwrap();
    let store = log.journal.store(context(org));
    let key = |n: u128| {
        let id = ApiKeyId::from_uuid(uuid::Uuid::from_u128(n));
        let state = Organization { exists: true, ..Organization::default() };
        match state.decide(issue_key(id)).unwrap() {
            domain::Decision::Accept(events) => events,
            domain::Decision::AlreadyApplied => panic!("a new key"),
        }
    };
    let first = EventStore::<Organization>::load_aggregate(&store, &id).await.unwrap();
    let second = EventStore::<Organization>::load_aggregate(&store, &id).await.unwrap();
    let committed = store.commit(key(1), first, Default::default()).await.unwrap();
    assert_eq!(committed[0].sequence, 2);
    let late = store.commit(key(2), second, Default::default()).await;
    assert!(matches!(late, Err(cqrs_es::AggregateError::AggregateConflict)));
}
