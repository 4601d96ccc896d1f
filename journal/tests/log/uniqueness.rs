use domain::{
    ClaimChange,
    ids::{ApiKeyId, OrganizationId},
    organizations::{Organization, OrganizationCommand, SLUG_CLAIM},
};
use journal::{
    AppendError, AppendRequest, Clock, ExecuteError, IdempotencyKey, Outcome, SystemClock,
};

use crate::support::{Log, context, create, issue_key, request};

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
async fn of_several_changes_to_one_claim_the_last_one_counts() {
    let log = Log::open().await;
    let org = OrganizationId::from_uuid(SystemClock.new_id());
    let take = |key: &str| ClaimChange::Take { kind: "seat", key: key.to_owned() };
    let release = |key: &str| ClaimChange::Release { kind: "seat", key: key.to_owned() };
    let with = |id: &str, expected, claims| AppendRequest { claims, ..request(org, id, expected) };
    log.journal.append_request(with("a", 0, vec![take("1A"), take("2B")])).await.unwrap();
    let changes = vec![release("1A"), take("1A"), take("2B"), release("2B")];
    log.journal.append_request(with("a", 1, changes)).await.unwrap();
    assert!(matches!(
        log.journal.append_request(with("b", 0, vec![take("1A")])).await,
        Err(AppendError::Claimed { kind: "seat", key }) if key == "1A"
    ));
    log.journal.append_request(with("b", 0, vec![take("2B")])).await.unwrap();
}
