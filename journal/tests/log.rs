//! The promises of the log, against a real Postgres.

mod support;

use std::{collections::HashSet, sync::Arc, time::Duration};

use cqrs_es::{EventStore, persist::PersistedEventStore};
use domain::{
    ClaimChange, Decide,
    ids::{ApiKeyId, OrganizationId},
    organizations::{Organization, OrganizationCommand, OrganizationError, SLUG_CLAIM},
};
use journal::{
    AppendError, AppendRequest, Clock, Context, ExecuteError, Filter, IdempotencyKey, NewEvent,
    Outcome, ReadError, SystemClock,
};
use postgres_es::PostgresEventRepository;
use support::{Log, context, create, issue_key, request};

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
async fn idempotent_replay_returns_first_result() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let mut caller = context(org);
    caller.idempotency = Some(IdempotencyKey { key: "k1".into(), request_hash: [7; 32] });
    let command = |name: &str| OrganizationCommand::Create {
        name: name.into(),
        slug: "acme".into(),
        now: SystemClock.now(),
    };
    let first =
        log.journal.execute::<Organization>(&caller, "org_a", command("Acme")).await.unwrap();
    assert_eq!(first.outcome, Outcome::Applied);

    // The same aggregate would refuse, and another one would even succeed: the key decides.
    for id in ["org_a", "org_b"] {
        let again =
            log.journal.execute::<Organization>(&caller, id, command("Acme")).await.unwrap();
        assert_eq!(again.outcome, Outcome::Replayed);
        assert_eq!(again.aggregate_id, "org_a");
        assert_eq!((again.position, again.sequence), (first.position, first.sequence));
    }
    assert_eq!(log.journal.head().await.unwrap(), 1);

    let mut stranger = caller.clone();
    stranger.org = OrganizationId::from_uuid(SystemClock.new_id());
    let other = OrganizationCommand::Create {
        name: "Other".into(),
        slug: "other".into(),
        now: SystemClock.now(),
    };
    let done = log.journal.execute::<Organization>(&stranger, "org_c", other).await.unwrap();
    assert_eq!(done.outcome, Outcome::Applied, "keys belong to their organisation");
}

#[tokio::test]
async fn idempotency_key_with_other_body_is_refused() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    create(&log.journal, org, "acme").await.unwrap();
    let id = org.to_string();
    let key_id = ApiKeyId::from_uuid(SystemClock.new_id());
    let mut caller = context(org);
    caller.idempotency = Some(IdempotencyKey { key: "k1".into(), request_hash: [1; 32] });
    log.journal.execute::<Organization>(&caller, &id, issue_key(key_id)).await.unwrap();

    caller.idempotency = Some(IdempotencyKey { key: "k1".into(), request_hash: [2; 32] });
    let other = issue_key(ApiKeyId::from_uuid(SystemClock.new_id()));
    let refused = log.journal.execute::<Organization>(&caller, &id, other).await;
    assert!(matches!(refused, Err(ExecuteError::Append(AppendError::KeyReused))), "{refused:?}");
    // Also where the command alone would have been a success without any event.
    let repeated = log.journal.execute::<Organization>(&caller, &id, issue_key(key_id)).await;
    assert!(matches!(repeated, Err(ExecuteError::Append(AppendError::KeyReused))), "{repeated:?}");
}

#[tokio::test]
async fn claims_are_exclusive_under_race() {
    let log = Log::open().await;
    let other = log.second_process().await;
    for round in 0..25 {
        let slug = format!("slug-{round}");
        let racers = (0..8).map(|n| {
            let journal = if n % 2 == 0 { log.journal.clone() } else { other.clone() };
            let slug = slug.clone();
            tokio::spawn(async move {
                create(&journal, OrganizationId::from_uuid(SystemClock.new_id()), &slug).await
            })
        });
        let results: Vec<_> =
            futures::future::join_all(racers).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for refused in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(
                matches!(refused, ExecuteError::Append(AppendError::Claimed { kind: SLUG_CLAIM, key }) if *key == slug),
                "{refused:?}"
            );
        }
    }
    assert_eq!(log.journal.head().await.unwrap(), 25);
}

#[tokio::test]
async fn a_released_claim_can_be_taken_by_another() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let claim = |take: bool| {
        let (kind, key) = ("seat", "1A".to_owned());
        vec![if take {
            ClaimChange::Take { kind, key }
        } else {
            ClaimChange::Release { kind, key }
        }]
    };
    let with = |id: &str, expected, take| AppendRequest {
        claims: claim(take),
        ..request(org, id, expected)
    };
    log.journal.append_request(with("a", 0, true)).await.unwrap();
    log.journal.append_request(with("a", 1, true)).await.unwrap();
    assert!(matches!(
        log.journal.append_request(with("b", 0, true)).await,
        Err(AppendError::Claimed { kind: "seat", .. })
    ));
    // Only the holder can release it.
    log.journal.append_request(with("c", 0, false)).await.unwrap();
    assert!(log.journal.append_request(with("b", 0, true)).await.is_err());
    log.journal.append_request(with("a", 2, false)).await.unwrap();
    log.journal.append_request(with("b", 0, true)).await.unwrap();
}

#[tokio::test]
async fn own_snapshots_equal_full_replay() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let id = org.to_string();
    create(&log.journal, org, "acme").await.unwrap();
    let caller = context(org);
    let mut keys = Vec::new();
    for n in 0..349 {
        let key_id = ApiKeyId::from_uuid(SystemClock.new_id());
        log.journal.execute::<Organization>(&caller, &id, issue_key(key_id)).await.unwrap();
        keys.push(key_id);
        if n % 3 == 0 {
            let revoke = OrganizationCommand::RevokeApiKey { key_id, now: SystemClock.now() };
            log.journal.execute::<Organization>(&caller, &id, revoke).await.unwrap();
        }
    }
    let version = 1 + 349 + 117;
    let snapshot = log.wait_for_snapshot(&id, 400).await;
    assert!(snapshot < version, "the tail after the snapshot is part of the proof");

    let fresh = log.second_process().await;
    let (loaded, at) = fresh.state::<Organization>(org, &id).await.unwrap().unwrap();
    let replayed = fresh.replay::<Organization>(&id, u64::MAX).await.unwrap();
    assert_eq!(at, version as u64);
    assert_eq!(loaded, replayed);
    assert_eq!(replayed.keys.len(), 349);
    assert_eq!(replayed.keys.values().filter(|valid| **valid).count(), 349 - 117);

    // A snapshot of another state version or with other contents is passed over.
    for update in [
        "UPDATE snapshots SET state_version = state_version + 1",
        "UPDATE snapshots SET state_version = state_version - 1, state = '[]'",
    ] {
        sqlx::query(update).execute(&log.pool).await.unwrap();
        let (loaded, _) = fresh.state::<Organization>(org, &id).await.unwrap().unwrap();
        assert_eq!(loaded, replayed);
    }
}

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

#[tokio::test]
async fn a_pinned_version_is_refused_and_an_unpinned_one_is_retried() {
    let log = Log::open().await;
    let other = log.second_process().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let id = org.to_string();
    create(&log.journal, org, "acme").await.unwrap();
    let new_key = || issue_key(ApiKeyId::from_uuid(SystemClock.new_id()));
    // The first process still has version 1 in its cache.
    other.execute::<Organization>(&context(org), &id, new_key()).await.unwrap();

    let mut pinned = context(org);
    pinned.expected_version = Some(1);
    let refused = log.journal.execute::<Organization>(&pinned, &id, new_key()).await;
    assert!(
        matches!(refused, Err(ExecuteError::VersionMismatch { expected: 1, actual: 2 })),
        "{refused:?}"
    );
    let done = log.journal.execute::<Organization>(&context(org), &id, new_key()).await.unwrap();
    assert_eq!(done.sequence, 3);
}

#[tokio::test]
async fn a_no_never_rests_on_a_stale_cache() {
    let log = Log::open().await;
    let other = log.second_process().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let id = org.to_string();
    create(&log.journal, org, "acme").await.unwrap();
    let key_id = ApiKeyId::from_uuid(SystemClock.new_id());
    other.execute::<Organization>(&context(org), &id, issue_key(key_id)).await.unwrap();

    // To the cache of the first process this key is unknown.
    let revoke = OrganizationCommand::RevokeApiKey { key_id, now: SystemClock.now() };
    let done = log.journal.execute::<Organization>(&context(org), &id, revoke).await.unwrap();
    assert_eq!(done.sequence, 3);
}

#[tokio::test]
async fn many_commands_on_one_aggregate_all_succeed() {
    let log = Log::open().await;
    let other = log.second_process().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let id = org.to_string();
    create(&log.journal, org, "acme").await.unwrap();
    let tasks = (0..40).map(|n| {
        let journal = if n % 2 == 0 { log.journal.clone() } else { other.clone() };
        let id = id.clone();
        tokio::spawn(async move {
            let key_id = ApiKeyId::from_uuid(SystemClock.new_id());
            journal.execute::<Organization>(&context(org), &id, issue_key(key_id)).await
        })
    });
    for result in futures::future::join_all(tasks).await {
        result.unwrap().unwrap();
    }
    assert_eq!(log.journal.head().await.unwrap(), 41);
}

#[tokio::test]
async fn another_organisation_cannot_command_an_aggregate() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let stranger = OrganizationId::from_uuid(SystemClock.new_id());
    create(&log.journal, org, "acme").await.unwrap();
    let command = issue_key(ApiKeyId::from_uuid(SystemClock.new_id()));
    for journal in [log.journal.clone(), log.second_process().await] {
        let refused = journal
            .execute::<Organization>(&context(stranger), &org.to_string(), command.clone())
            .await;
        assert!(matches!(refused, Err(ExecuteError::OtherOrganization)), "{refused:?}");
    }
    // Not even one that forged its way past the executor.
    let forged = log.journal.append_request(request(stranger, &org.to_string(), 1)).await;
    assert!(matches!(forged, Err(AppendError::Conflict { .. })), "{forged:?}");
    assert!(log.journal.state::<Organization>(stranger, &org.to_string()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_refusal_appends_nothing_and_names_its_reason() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let refused = create(&log.journal, org, "No Slug").await;
    assert!(matches!(refused, Err(ExecuteError::Refused(OrganizationError::Slug))), "{refused:?}");
    assert_eq!(log.journal.head().await.unwrap(), 0);
}

#[tokio::test]
async fn an_event_too_large_for_a_message_is_refused() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let mut large = request(org, "large", 0);
    large.events = vec![NewEvent {
        payload: format!("\"{}\"", "x".repeat(journal::MAX_EVENT_BYTES)),
        ..large.events.remove(0)
    }];
    let refused = log.journal.append_request(large).await;
    assert!(matches!(refused, Err(AppendError::TooLarge { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_die_lose_and_repeat_nothing() {
    let log = Log::open().await;
    let acknowledged = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let (journal, acknowledged) = (log.journal.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                for n in 0..20 {
                    let org = OrganizationId::from_uuid(SystemClock.new_id());
                    let slug = format!("t{task}-{n}");
                    if create(&journal, org, &slug).await.is_ok() {
                        acknowledged.lock().unwrap().push(org.to_string());
                    }
                }
            })
        })
        .collect();
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'millrace appender'",
        )
        .execute(&log.pool)
        .await
        .unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let events = log.journal.read(0, &Filter::default(), 10_000).await.unwrap();
    let ids: Vec<_> = events.iter().map(|event| event.aggregate_id.clone()).collect();
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
async fn old_idempotency_keys_are_forgotten() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let mut keyed = request(org, "a", 0);
    keyed.idempotency = Some(IdempotencyKey { key: "k".into(), request_hash: [1; 32] });
    log.journal.append_request(keyed).await.unwrap();
    let now = SystemClock.now();
    let hour = chrono::TimeDelta::hours(1);
    assert_eq!(log.journal.forget_idempotency_keys(now - hour).await.unwrap(), 0);
    assert_eq!(log.journal.forget_idempotency_keys(now + hour).await.unwrap(), 1);
}

/// `Context` is part of what subscribers see: who did it and because of what.
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
