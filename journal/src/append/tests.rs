use std::sync::Arc;

use domain::ids::OrganizationId;
use futures::poll;
use serde_json::value::RawValue;
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    appender::{Task, connect},
    batch::Part,
    queue::{QUEUE_BYTES, REQUEST_EVENTS},
    *,
};
use crate::{Clock, IdempotencyKey, SystemClock};

fn request(id: &str, events: usize, metadata_bytes: usize) -> AppendRequest {
    let event = |_| NewEvent {
        event_id: SystemClock.new_id(),
        event_type: "organization.created".into(),
        event_version: "1".into(),
        payload: RawValue::NULL.to_owned(),
    };
    AppendRequest {
        org: OrganizationId::from_uuid(Uuid::nil()),
        aggregate_type: "organization",
        aggregate_id: id.into(),
        expected_version: 0,
        events: (0..events).map(event).collect(),
        claims: Vec::new(),
        idempotency: None,
        command_id: Uuid::nil(),
        correlation_id: Uuid::nil(),
        causation_id: None,
        actor: "operator".into(),
        metadata: [("m".to_owned(), "x".repeat(metadata_bytes))].into(),
    }
}

#[tokio::test]
async fn requests_that_wait_are_bounded_by_their_bytes() {
    let (appender, mut waiting) = Appender::new(100);
    let large = || Box::pin(appender.append(request("a", REQUEST_EVENTS, 8000)));
    let fitting = QUEUE_BYTES / request("a", REQUEST_EVENTS, 8000).bytes();
    let mut handed_in: Vec<_> = (0..fitting).map(|_| large()).collect();
    for verdict in &mut handed_in {
        assert!(poll!(verdict).is_pending());
    }
    assert!(matches!(large().await, Err(AppendError::Overloaded)));

    let first = waiting.recv().await.unwrap();
    assert!(matches!(large().await, Err(AppendError::Overloaded)), "it is not answered yet");
    first.reply.send(Err(AppendError::Closed));
    assert!(poll!(large()).is_pending());
}

#[tokio::test]
async fn a_request_has_a_bound_of_its_own() {
    let (appender, _waiting) = Appender::new(100);
    for (given, bound) in [
        (request("a", REQUEST_EVENTS + 1, 0), "events in a request"),
        (request("a", REQUEST_EVENTS, 9000), "bytes in a request"),
    ] {
        let refused = appender.append(given).await;
        assert!(
            matches!(refused, Err(AppendError::TooLarge { what, .. }) if what == bound),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn after_a_lost_answer_each_request_gets_a_verdict_of_its_own() {
    let database = testkit::database().await;
    crate::migrate(&database.pool()).await.unwrap();
    let head = Arc::new(watch::Sender::new(0));
    let (_appender, waiting) = Appender::new(100);
    let options = connect(&database.pool());
    let mut task = Task::new(options, Arc::new(SystemClock), Arc::clone(&head), waiting);
    let key = |key: &str| Some(IdempotencyKey { key: key.into(), request_hash: [1; 32] });

    let stored = AppendRequest { idempotency: key("k1"), ..request("stored", 2, 0) };
    let stale = AppendRequest { expected_version: 7, ..request("stale", 1, 0) };
    let silent = AppendRequest { idempotency: key("k2"), ..request("silent", 0, 0) };
    let follower = AppendRequest { expected_version: 2, ..request("stored", 1, 0) };
    let part = |request, after| Part { request, after };
    let committed =
        [part(&stored, None), part(&stale, None), part(&silent, None), part(&follower, Some(0))];
    let told = task.append_durably(&committed, false).await.unwrap();
    let new = request("new", 1, 0);
    let doomed = AppendRequest { expected_version: 8, ..request("stale", 1, 0) };
    let last = AppendRequest { expected_version: 3, ..request("stored", 1, 0) };
    let mut both = committed.to_vec();
    both.extend([part(&new, None), part(&last, Some(3)), part(&doomed, Some(1))]);
    let again = task.append_durably(&both, true).await.unwrap();

    assert_eq!(again[0].as_ref().unwrap(), told[0].as_ref().unwrap());
    assert!(matches!(again[1], Err(AppendError::Conflict { expected: 7 })), "{again:?}");
    assert!(
        matches!(&again[2], Err(AppendError::Duplicate(result)) if result.aggregate_id == "silent"),
        "{again:?}"
    );
    assert_eq!(again[3].as_ref().unwrap(), told[3].as_ref().unwrap());
    assert_eq!(again[4].as_ref().unwrap().last_position, 4);
    assert_eq!(again[5].as_ref().unwrap().last_position, 5);
    assert!(matches!(again[6], Err(AppendError::Conflict { .. })), "{again:?}");
    assert_eq!(*head.borrow(), 5);
}
