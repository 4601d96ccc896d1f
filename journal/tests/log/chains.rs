//! Commands that are decided on what the one before them leaves, before that is in the log.

use std::collections::BTreeSet;

use domain::{
    ids::{ApiKeyId, OrganizationId},
    organizations::{Organization, OrganizationCommand, OrganizationError, Settings},
};
use futures::poll;
use journal::{
    AppendError, AppendRequest, Clock, Committed, ExecuteError, Filter, IdempotencyKey, Outcome,
    SystemClock,
};
use tokio::task::JoinHandle;

use crate::support::{Log, context, create, issue_key, request, soon};

type Told = Result<Committed, ExecuteError<OrganizationError>>;

/// An organisation that is in the log and known to its process, and another one with the slug `taken`.
struct Scene {
    log: Log,
    org: OrganizationId,
}

impl Scene {
    async fn set() -> Self {
        let log = Log::open().await;
        let [org, other] = [0; 2].map(|_| OrganizationId::from_uuid(SystemClock.new_id()));
        create(&log.journal, other, "taken").await.unwrap();
        create(&log.journal, org, "acme").await.unwrap();
        Self { log, org }
    }

    fn spawn(&self, command: OrganizationCommand) -> JoinHandle<Told> {
        self.spawn_under(None, command)
    }

    fn spawn_under(&self, key: Option<&str>, command: OrganizationCommand) -> JoinHandle<Told> {
        let (journal, org) = (self.log.journal.clone(), self.org);
        let mut context = context(org);
        context.idempotency =
            key.map(|key| IdempotencyKey { key: key.to_owned(), request_hash: [1; 32] });
        tokio::spawn(async move {
            journal.execute::<Organization>(&context, &org.to_string(), command).await
        })
    }

    async fn state(&self) -> Organization {
        let id = self.org.to_string();
        let known = self.log.journal.state::<Organization>(self.org, &id).await.unwrap().unwrap();
        let replayed = self.log.journal.replay::<Organization>(&id, u64::MAX).await.unwrap();
        assert_eq!(known.0, replayed, "what is remembered is what is in the log");
        replayed
    }
}

fn new_key() -> ApiKeyId {
    ApiKeyId::from_uuid(SystemClock.new_id())
}

/// It is decided upon as if it could be done, and refused by the log.
fn take_the_slug() -> OrganizationCommand {
    let settings = Settings { name: "Acme".to_owned(), slug: "taken".to_owned(), logo_url: None };
    OrganizationCommand::ChangeSettings { settings, now: SystemClock.now() }
}

#[tokio::test]
async fn commands_on_one_aggregate_share_commits() {
    let scene = Scene::set().await;
    let mut hold = scene.log.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *hold).await.unwrap();
    let told: Vec<_> = (0..40).map(|_| scene.spawn(issue_key(new_key()))).collect();
    scene.log.wait_until_queued().await;
    hold.commit().await.unwrap();

    let mut sequences = BTreeSet::new();
    for told in told {
        sequences.insert(told.await.unwrap().unwrap().sequence);
    }
    assert_eq!(sequences, (2..=41).collect());
    let of_org = Filter { org: Some(scene.org), ..Filter::default() };
    let events = scene.log.journal.read(0, &of_org, 100).await.unwrap();
    let commits: BTreeSet<_> = events[1..].iter().map(|event| event.recorded_at).collect();
    assert!(commits.len() <= 2, "40 commands took {} commits", commits.len());
    assert_eq!(scene.state().await.keys.len(), 40);
}

#[tokio::test]
async fn what_rests_on_a_refused_command_is_decided_again_without_it() {
    let scene = Scene::set().await;
    let refused = scene.spawn(take_the_slug());
    let after: Vec<_> = (0..5).map(|_| scene.spawn(issue_key(new_key()))).collect();

    let refused = refused.await.unwrap();
    assert!(
        matches!(refused, Err(ExecuteError::Append(AppendError::Claimed { .. }))),
        "{refused:?}"
    );
    let mut sequences = BTreeSet::new();
    for told in after {
        sequences.insert(told.await.unwrap().unwrap().sequence);
    }
    assert_eq!(sequences, (2..=6).collect());
    let state = scene.state().await;
    assert_eq!((state.settings.slug.as_str(), state.keys.len()), ("acme", 5));
}

#[tokio::test]
async fn no_answer_rests_on_what_is_not_in_the_log() {
    let scene = Scene::set().await;
    let key_id = new_key();
    let mut hold = scene.log.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *hold).await.unwrap();
    let first = scene.spawn(issue_key(key_id));
    let again = scene.spawn(issue_key(key_id));
    let id = scene.org.to_string();
    let mut state = std::pin::pin!(scene.log.journal.state::<Organization>(scene.org, &id));
    scene.log.wait_until_queued().await;
    assert!(poll!(&mut state).is_pending(), "a state is shown that is not in the log");
    assert!(!again.is_finished(), "an answer is told that nothing in the log explains");
    hold.commit().await.unwrap();

    assert_eq!(first.await.unwrap().unwrap().outcome, Outcome::Applied);
    let again = again.await.unwrap().unwrap();
    assert_eq!((again.outcome, again.position), (Outcome::AlreadyApplied, 3));
    assert_eq!(soon(state).await.unwrap().unwrap().1, 2);

    // With the second one nothing would be left to do, if the first one were in the log.
    let [first, second] = [take_the_slug(), take_the_slug()].map(|command| scene.spawn(command));
    for told in [first.await.unwrap(), second.await.unwrap()] {
        assert!(matches!(told, Err(ExecuteError::Append(AppendError::Claimed { .. }))), "{told:?}");
    }
}

#[tokio::test]
async fn a_replayed_command_between_others_is_carried_out_once() {
    let scene = Scene::set().await;
    let first = scene.spawn_under(Some("k"), issue_key(new_key())).await.unwrap().unwrap();
    let rename = |name: &str| {
        let settings = Settings { name: name.to_owned(), slug: "acme".to_owned(), logo_url: None };
        OrganizationCommand::ChangeSettings { settings, now: SystemClock.now() }
    };
    // Another command than the first time, as a client's clock moves on: its key tells.
    let told = [
        scene.spawn(rename("One")),
        scene.spawn_under(Some("k"), issue_key(new_key())),
        scene.spawn(rename("Two")),
        scene.spawn(rename("Three")),
    ];
    let mut outcomes = Vec::new();
    for told in told {
        outcomes.push(told.await.unwrap().unwrap());
    }
    let replayed = &outcomes[1];
    assert_eq!((replayed.outcome, replayed.sequence), (Outcome::Replayed, first.sequence));
    let state = scene.state().await;
    assert_eq!(state.keys.len(), 1);
    assert_eq!(scene.log.journal.head().await.unwrap(), 2 + 1 + 3);
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_what_others_rest_on() {
    let scene = Scene::set().await;
    let mut hold = scene.log.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *hold).await.unwrap();
    let gone = scene.spawn(issue_key(new_key()));
    let stays = scene.spawn(issue_key(new_key()));
    scene.log.wait_until_queued().await;
    gone.abort();
    hold.commit().await.unwrap();
    assert_eq!(stays.await.unwrap().unwrap().sequence, 3);
    assert_eq!(scene.state().await.keys.len(), 2);
}

#[tokio::test]
async fn a_chain_ends_with_the_first_that_is_refused() {
    let scene = Scene::set().await;
    let id = scene.org.to_string();
    let chain = |versions: [u64; 4]| versions.map(|version| request(scene.org, &id, version));
    let told = scene.log.journal.append_chain(chain([1, 2, 7, 4]).into()).await;
    let at: Vec<_> = told.iter().map(|told| told.as_ref().ok().map(|at| at.version)).collect();
    assert_eq!(at, [Some(2), Some(3), None, None]);
    // The version fits, and yet it was decided on events that are not there.
    let told = scene.log.journal.append_chain(chain([9, 3, 4, 5]).into()).await;
    assert!(told.iter().all(|told| matches!(told, Err(AppendError::Conflict { .. }))), "{told:?}");
}

/// It would fit where it stands in the stream, but what it was decided on is still to be refused.
#[tokio::test]
async fn what_waits_for_its_turn_holds_up_what_rests_on_it() {
    let scene = Scene::set().await;
    let id = scene.org.to_string();
    scene.log.journal.append_request(request(scene.org, &id, 1)).await.unwrap();
    let keyed = |id: &str, version| AppendRequest {
        idempotency: Some(IdempotencyKey { key: "k".to_owned(), request_hash: [1; 32] }),
        ..request(scene.org, id, version)
    };
    let mut hold = scene.log.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *hold).await.unwrap();
    let blocks = scene.log.spawn_append(request(scene.org, "blocks", 0));
    scene.log.wait_until_queued().await;
    let first = scene.log.spawn_append(keyed("another", 0));
    let (journal, chain) =
        (scene.log.journal.clone(), vec![keyed(&id, 1), request(scene.org, &id, 2)]);
    let chain = tokio::spawn(async move { journal.append_chain(chain).await });
    scene.log.wait_until_queued().await;
    hold.commit().await.unwrap();

    blocks.await.unwrap().unwrap();
    first.await.unwrap().unwrap();
    let told = chain.await.unwrap();
    assert!(matches!(told[0], Err(AppendError::Duplicate(_))), "{told:?}");
    assert!(matches!(told[1], Err(AppendError::Conflict { .. })), "{told:?}");
}
