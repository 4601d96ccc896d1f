use std::collections::HashSet;

use domain::{
    ids::{ApiKeyId, OrganizationId},
    organizations::{Organization, OrganizationCommand},
};
use journal::{Clock, Context, Filter, LoadError, ReadError, SystemClock};

use crate::support::{Log, context, create, issue_key, request};

#[tokio::test]
async fn positions_are_gapless_and_in_order_of_commit() {
    let log = Log::open().await;
    let other = log.second_process().await;
    let tasks = (0..200).map(|n| {
        let journal = if n % 2 == 0 { log.journal.clone() } else { other.clone() };
        tokio::spawn(async move {
            let org = OrganizationId::from_uuid(SystemClock.new_id());
            create(&journal, org, &format!("org-{n}")).await.unwrap().position
        })
    });
    let positions: HashSet<u64> =
        futures::future::join_all(tasks).await.into_iter().map(Result::unwrap).collect();

    assert_eq!(positions, (1..=200).collect());
    let events = log.journal.read(0, &Filter::default(), 1000).await.unwrap();
    assert!(events.iter().map(|event| event.position).eq(1..=200));
    assert!(events.is_sorted_by_key(|event| event.recorded_at));
}

#[tokio::test]
async fn concurrent_commit_gap() {
    let log = Log::open().await;
    // One session has taken its position and has not committed yet.
    let mut paused = log.pool.begin().await.unwrap();
    sqlx::query("UPDATE log_head SET position = position + 1").execute(&mut *paused).await.unwrap();

    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let journal = log.journal.clone();
    let second = tokio::spawn(async move { create(&journal, org, "second").await });
    log.wait_for_blocked_backend().await;

    // The other one cannot overtake it: a reader sees nothing rather than a later event.
    assert!(log.journal.read(0, &Filter::default(), 10).await.unwrap().is_empty());
    assert!(!second.is_finished());

    sqlx::query(
        "INSERT INTO events VALUES ('organization', 'paused', 1, 'organization.created', '1',
             '{\"type\":\"created\",\"name\":\"a\",\"slug\":\"a\",\"created_at\":\"2026-01-01T00:00:00Z\"}',
             '{}', 1, gen_random_uuid(), gen_random_uuid(), now(), gen_random_uuid(),
             gen_random_uuid(), NULL, 'operator')",
    )
    .execute(&mut *paused)
    .await
    .unwrap();
    paused.commit().await.unwrap();

    assert_eq!(second.await.unwrap().unwrap().position, 2);
    let read = log.journal.read(0, &Filter::default(), 10).await.unwrap();
    assert_eq!(read.iter().map(|event| event.position).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_session_that_rolls_back_leaves_no_hole() {
    let log = Log::open().await;
    let mut paused = log.pool.begin().await.unwrap();
    sqlx::query("UPDATE log_head SET position = position + 1").execute(&mut *paused).await.unwrap();
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let journal = log.journal.clone();
    let second = tokio::spawn(async move { create(&journal, org, "second").await });
    log.wait_for_blocked_backend().await;
    paused.rollback().await.unwrap();

    assert_eq!(second.await.unwrap().unwrap().position, 1);
}

#[tokio::test]
async fn a_hole_is_reported_as_corruption() {
    let log = Log::open().await;
    for n in 0..3 {
        let org = OrganizationId::from_uuid(SystemClock.new_id());
        create(&log.journal, org, &format!("o{n}")).await.unwrap();
    }
    for statement in [
        "ALTER TABLE events DISABLE TRIGGER events_are_append_only",
        "DELETE FROM events WHERE position = 2",
    ] {
        sqlx::query(statement).execute(&log.pool).await.unwrap();
    }
    let result = log.journal.read(0, &Filter::default(), 10).await;
    assert!(matches!(result, Err(ReadError::Hole { after: 1, found: 3 })), "{result:?}");
}

#[tokio::test]
async fn an_aggregate_with_a_hole_is_not_loaded() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let id = org.to_string();
    create(&log.journal, org, "acme").await.unwrap();
    for _ in 0..2 {
        let key = issue_key(ApiKeyId::from_uuid(SystemClock.new_id()));
        log.journal.execute::<Organization>(&context(org), &id, key).await.unwrap();
    }
    for statement in [
        "ALTER TABLE events DISABLE TRIGGER events_are_append_only",
        "DELETE FROM events WHERE sequence = 2",
    ] {
        sqlx::query(statement).execute(&log.pool).await.unwrap();
    }
    // One that has not folded them already.
    let other = log.second_process().await;
    let state = other.state::<Organization>(org, &id).await;
    assert!(matches!(state, Err(LoadError::Hole { after: 1, found: 3, .. })), "{state:?}");
    let replayed = log.journal.replay::<Organization>(&id, u64::MAX).await;
    assert!(matches!(replayed, Err(LoadError::Hole { .. })), "{replayed:?}");
}

#[tokio::test]
async fn events_can_be_neither_changed_nor_deleted() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    create(&log.journal, org, "kept").await.unwrap();
    for statement in ["UPDATE events SET actor = 'x'", "DELETE FROM events", "TRUNCATE events"] {
        let error = sqlx::query(statement).execute(&log.pool).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{error}");
    }
}

#[tokio::test]
async fn an_event_says_who_did_it_and_why() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let cause = SystemClock.new_id();
    let mut caller: Context = context(org).caused_by(cause);
    caller.metadata.insert("request_id".into(), "req-1".into());
    let command = OrganizationCommand::Create {
        name: "Acme".into(),
        slug: "acme".into(),
        now: SystemClock.now(),
    };
    log.journal.execute::<Organization>(&caller, &org.to_string(), command).await.unwrap();
    let event = log.journal.at(1).await.unwrap().unwrap();
    assert_eq!(event.actor, "operator");
    assert_eq!(event.causation_id, Some(cause));
    assert_eq!(event.correlation_id, caller.correlation_id);
    assert_eq!(event.metadata["request_id"], "req-1");
    assert_eq!(event.event_type, "organization.created");
    assert_eq!(event.org, org);
}

#[tokio::test]
async fn after_the_last_position_that_can_be_named_there_is_nothing() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    create(&log.journal, org, "first").await.unwrap();
    for after in [i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        let filter = Filter { org: Some(org), ..Filter::default() };
        assert!(log.journal.read(after, &filter, 10).await.unwrap().is_empty(), "after {after}");
        assert!(log.journal.read(after, &Filter::default(), 10).await.unwrap().is_empty());
    }
}

/// Whatever position a page begins behind: one of the aggregate's own events, another's, or one to come.
#[tokio::test]
async fn an_aggregate_is_read_in_pages_from_any_position() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let ids = [SystemClock.new_id().to_string(), SystemClock.new_id().to_string()];
    let mut own = Vec::new();
    for version in 0..7 {
        for id in &ids {
            let appended = log.journal.append_request(request(org, id, version)).await.unwrap();
            own.extend((*id == ids[0]).then_some(appended.last_position));
        }
    }
    let aggregate = Some(("organization", ids[0].clone()));
    let filter = Filter { aggregate, ..Filter::default() };
    for after in 0..=own.len() as u64 * 2 + 1 {
        let page = log.journal.read(after, &filter, 3).await.unwrap();
        let found: Vec<_> = page.iter().map(|event| event.position).collect();
        let expected = own.iter().copied().filter(|position| *position > after).take(3);
        assert_eq!(found, expected.collect::<Vec<_>>(), "after {after}");
    }
}
