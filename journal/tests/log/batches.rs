use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{ClaimChange, ids::OrganizationId, organizations::SLUG_CLAIM};
use journal::{AppendError, Clock, Filter, IdempotencyKey, NewEvent, SystemClock};

use serde_json::value::to_raw_value;

use crate::support::{Log, create, request, soon};

#[tokio::test]
async fn batch_isolates_conflicts() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    create(&log.journal, org, "taken").await.unwrap();
    let key = IdempotencyKey { key: "used".into(), request_hash: [1; 32] };
    let mut keyed = request(org, "with-key", 0);
    keyed.idempotency = Some(key.clone());
    log.journal.append_request(keyed).await.unwrap();

    // While the head is held, everything below gathers into one batch.
    let mut hold = log.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *hold).await.unwrap();
    let first = log.spawn_append(request(org, "first-batch", 0));
    log.wait_for_blocked_backend().await;

    let stale = log.spawn_append(request(org, "first-batch", 7));
    let mut claiming = request(org, "claiming", 0);
    claiming.claims = vec![
        ClaimChange::Take { kind: "other", key: "free".into() },
        ClaimChange::Take { kind: SLUG_CLAIM, key: "taken".into() },
    ];
    let claiming = log.spawn_append(claiming);
    let mut repeated = request(org, "with-key-again", 0);
    repeated.idempotency = Some(key.clone());
    let repeated = log.spawn_append(repeated);
    let mut reused = request(org, "with-key-reused", 0);
    reused.idempotency = Some(IdempotencyKey { request_hash: [2; 32], ..key });
    let reused = log.spawn_append(reused);
    let mut fine = Vec::new();
    for n in 0..20 {
        fine.push(log.spawn_append(request(org, &format!("fine-{n}"), 0)));
    }
    let mut heir = request(org, "heir", 0);
    heir.claims = vec![ClaimChange::Take { kind: "other", key: "free".into() }];
    let heir = log.spawn_append(heir);
    log.wait_until_queued().await;
    hold.commit().await.unwrap();

    assert!(first.await.unwrap().is_ok());
    assert!(matches!(stale.await.unwrap(), Err(AppendError::Conflict { expected: 7 })));
    assert!(matches!(
        claiming.await.unwrap(),
        Err(AppendError::Claimed { kind: SLUG_CLAIM, key }) if key == "taken"
    ));
    assert!(matches!(
        repeated.await.unwrap(),
        Err(AppendError::Duplicate(result)) if result.aggregate_id == "with-key"
    ));
    assert!(matches!(reused.await.unwrap(), Err(AppendError::KeyReused)));
    for neighbour in fine {
        assert!(neighbour.await.unwrap().is_ok());
    }
    assert!(heir.await.unwrap().is_ok(), "the claim of a refused request must be free again");
    let events = log.journal.read(0, &Filter::default(), 100).await.unwrap();
    assert!(events.iter().map(|event| event.position).eq(1..=24));
}

#[tokio::test]
async fn a_request_that_cannot_be_stored_is_refused_alone() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let mut hold = log.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *hold).await.unwrap();
    let first = log.spawn_append(request(org, "first-batch", 0));
    log.wait_for_blocked_backend().await;
    let before = log.spawn_append(request(org, "before", 0));
    let mut unstorable = request(org, "bad", 0);
    unstorable.actor = "\0".into();
    let unstorable = log.spawn_append(unstorable);
    let after = log.spawn_append(request(org, "after", 0));
    let stale = log.spawn_append(request(org, "stale", 3));
    log.wait_until_queued().await;
    hold.commit().await.unwrap();

    first.await.unwrap().unwrap();
    assert_eq!(before.await.unwrap().unwrap().last_position, 2);
    let refused = unstorable.await.unwrap();
    assert!(matches!(refused, Err(AppendError::Unstorable(_))), "{refused:?}");
    assert_eq!(after.await.unwrap().unwrap().last_position, 3);
    assert!(matches!(stale.await.unwrap(), Err(AppendError::Conflict { expected: 3 })));
}

#[tokio::test]
async fn cancelled_client_does_not_abort_batch() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let mut hold = log.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *hold).await.unwrap();
    let gone = log.spawn_append(request(org, "gone", 0));
    let stays = log.spawn_append(request(org, "stays", 0));
    log.wait_for_blocked_backend().await;
    gone.abort();
    hold.commit().await.unwrap();

    assert!(stays.await.unwrap().is_ok());
    let ids: HashSet<_> = log
        .journal
        .read(0, &Filter::default(), 10)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.aggregate_id)
        .collect();
    assert_eq!(ids, HashSet::from(["gone".to_owned(), "stays".to_owned()]));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let mut hold = log.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *hold).await.unwrap();
    let first = log.spawn_append(request(org, "first", 0));
    log.wait_for_blocked_backend().await;
    let waiting: Vec<_> =
        (0..5000).map(|n| log.spawn_append(request(org, &format!("a{n}"), 0))).collect();
    log.wait_until_queued().await;
    let refused = log.journal.append_request(request(org, "one-more", 0)).await;
    assert!(matches!(refused, Err(AppendError::Overloaded)), "{refused:?}");

    hold.commit().await.unwrap();
    first.await.unwrap().unwrap();
    let mut appended = 1;
    for verdict in waiting {
        match verdict.await.unwrap() {
            Ok(_) => appended += 1,
            Err(AppendError::Overloaded) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(log.journal.head().await.unwrap(), appended);
    assert!(appended >= 4096, "{appended} were taken");
}

#[tokio::test]
async fn an_event_too_large_for_a_message_is_refused() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let mut large = request(org, "large", 0);
    large.events = vec![NewEvent {
        payload: to_raw_value(&"x".repeat(journal::MAX_EVENT_BYTES)).unwrap(),
        ..large.events.remove(0)
    }];
    let refused = log.journal.append_request(large).await;
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_die_lose_and_repeat_nothing() {
    const KILLS: usize = 5;
    let log = Log::open().await;
    let acknowledged = Arc::new(std::sync::Mutex::new(Vec::new()));
    let enough = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let (journal, acknowledged) = (log.journal.clone(), Arc::clone(&acknowledged));
            let enough = Arc::clone(&enough);
            tokio::spawn(async move {
                for n in 0.. {
                    if enough.load(Ordering::Relaxed) {
                        return;
                    }
                    let org = OrganizationId::from_uuid(SystemClock.new_id());
                    if create(&journal, org, &format!("t{task}-{n}")).await.is_ok() {
                        acknowledged.lock().unwrap().push(org.to_string());
                    }
                }
            })
        })
        .collect();
    let killing = async {
        let mut terminated = 0;
        while terminated < KILLS {
            let before = acknowledged.lock().unwrap().len();
            let killed: Vec<bool> = sqlx::query_scalar(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'millrace appender'",
            )
            .fetch_all(&log.pool)
            .await
            .unwrap();
            terminated += killed.into_iter().filter(|killed| *killed).count();
            // The next one dies once this one was overcome.
            while acknowledged.lock().unwrap().len() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        enough.store(true, Ordering::Relaxed);
        for task in tasks {
            task.await.unwrap();
        }
    };
    soon(killing).await;
    let ids: Vec<String> =
        sqlx::query_scalar("SELECT aggregate_id FROM events").fetch_all(&log.pool).await.unwrap();
    let unique: HashSet<_> = ids.iter().cloned().collect();
    assert_eq!(unique.len(), ids.len(), "no command took effect twice");
    let acknowledged = acknowledged.lock().unwrap();
    assert!(acknowledged.iter().all(|id| unique.contains(id)), "an acknowledged event is missing");
    assert!(!acknowledged.is_empty());
}

#[tokio::test]
async fn what_was_accepted_is_appended_before_the_appender_ends() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let mut hold = log.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *hold).await.unwrap();
    let accepted: Vec<_> =
        (0..50).map(|n| log.spawn_append(request(org, &format!("a{n}"), 0))).collect();
    log.wait_until_queued().await;
    let stopped = log.stop();
    hold.commit().await.unwrap();
    stopped.await.unwrap();
    for verdict in accepted {
        verdict.await.unwrap().unwrap();
    }
    let late = log.journal.append_request(request(org, "late", 0)).await;
    assert!(matches!(late, Err(AppendError::Closed)), "{late:?}");
}

#[tokio::test]
async fn a_busy_appender_takes_nothing_new_once_it_is_to_end() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let mut hold = log.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *hold).await.unwrap();
    // Of one stream each takes a batch of its own, so that there is always a next one.
    let mut accepted: Vec<_> = (0..5).map(|_| log.spawn_append(request(org, "a", 0))).collect();
    log.wait_until_queued().await;
    let stopped = log.stop();
    hold.commit().await.unwrap();
    accepted.remove(0).await.unwrap().unwrap();
    let late = log.journal.append_request(request(org, "late", 0)).await;
    assert!(matches!(late, Err(AppendError::Closed)), "{late:?}");
    for verdict in accepted {
        let verdict = verdict.await.unwrap();
        assert!(matches!(verdict, Err(AppendError::Conflict { .. })), "{verdict:?}");
    }
    stopped.await.unwrap();
}
