use domain::{
    Service,
    ids::{ApiKeyId, OrganizationId},
    organizations::{Organization, OrganizationCommand, OrganizationError},
};
use journal::{Actor, AppendError, Clock, Context, ExecuteError, SystemClock};

use crate::support::{Log, context, create, issue_key, request};

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
async fn a_part_of_the_platform_that_acts_outside_its_kind_is_refused() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    create(&log.journal, org, "acme").await.unwrap();
    let head = log.journal.head().await.unwrap();
    for service in Service::ALL {
        let acting = Context { actor: Actor::System(service), ..context(org) };
        let command = issue_key(ApiKeyId::from_uuid(SystemClock.new_id()));
        let refused = log.journal.execute::<Organization>(&acting, &org.to_string(), command).await;
        let expected = (service, "organization");
        assert!(
            matches!(refused, Err(ExecuteError::OutsideItsKind { service, aggregate })
                if (service, aggregate) == expected),
            "{refused:?}"
        );
    }
    assert_eq!(log.journal.head().await.unwrap(), head);
}
