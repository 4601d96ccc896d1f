use domain::{organizations, scans::ScanEvent};
use projections::{
    Slice,
    jobs::{self, JobStatus, system},
    organizations::FoundKey,
};
use serde_json::json;

use crate::world::*;

#[tokio::test]
async fn the_queue_holds_every_job_that_has_not_ended() {
    let (world, _projector) = World::projected().await;
    let id = scan(1).to_string();
    let queued = world.append(org(1), scan(1), 0, &[requested()]).await;
    let view = world.view(jobs::NAME, queued).await;
    let job = jobs::get(scope(1), &view, &id).await.unwrap().unwrap();
    assert_eq!((job.status, job.attempt, job.queued_position), (JobStatus::Queued, 1, queued));
    assert_eq!(job.metadata["request_id"], "r-1");
    let request = world.journal.at(queued).await.unwrap().unwrap();
    assert_eq!((job.event_id, job.correlation_id), (request.event_id, request.correlation_id));

    let cancel = ScanEvent::CancelRequested { requested_at: at(5) };
    let running = world.append(org(1), scan(1), 1, &[started(1), cancel]).await;
    let view = world.view(jobs::NAME, running).await;
    let job = jobs::get(scope(1), &view, &id).await.unwrap().unwrap();
    assert_eq!((job.status, job.deadline), (JobStatus::Running, Some(at(901))));
    assert!(job.fence.is_some() && job.cancel_requested);
    assert_eq!(jobs::place(scope(1), &view, &id).await.unwrap(), None);

    let requeued = ScanEvent::Requeued {
        attempt: 2,
        reason: "lost".to_owned(),
        not_before: at(60),
        fault: true,
    };
    let again = world.append(org(1), scan(1), 3, &[requeued]).await;
    let view = world.view(jobs::NAME, again).await;
    let job = system::get(&view, &id).await.unwrap().unwrap();
    assert_eq!((job.status, job.attempt, job.fence), (JobStatus::Queued, 2, None));
    assert_eq!((job.queued_position, job.not_before), (again, at(60)));

    let cancelled = ScanEvent::Cancelled { cancelled_at: at(70) };
    let ended = world.append(org(1), scan(1), 4, &[cancelled]).await;
    let view = world.view(jobs::NAME, ended).await;
    assert_eq!(system::get(&view, &id).await.unwrap(), None);
    assert!(system::depth(&view).await.unwrap().is_empty());
}

/// The clock of whoever wrote the event may be ahead of that of the dispatcher.
#[tokio::test]
async fn a_job_that_was_not_put_off_waits_for_no_clock() {
    let (world, _projector) = World::projected().await;
    let id = scan(1).to_string();
    let queued = world.append(org(1), scan(1), 0, &[requested()]).await;
    let now = world.journal.at(queued).await.unwrap().unwrap().recorded_at;
    let put_off = |attempt, not_before| ScanEvent::Requeued {
        attempt,
        reason: "lost".to_owned(),
        not_before,
        fault: true,
    };
    let job = async |position| {
        let view = world.view(jobs::NAME, position).await;
        system::get(&view, &id).await.unwrap().unwrap()
    };
    let at_once = world.append(org(1), scan(1), 1, &[started(1), put_off(2, now)]).await;
    assert_eq!(job(at_once).await.not_before, domain::Timestamp::UNIX_EPOCH);
    let later = now + chrono::TimeDelta::hours(1);
    let waits = world.append(org(1), scan(1), 3, &[started(2), put_off(3, later)]).await;
    assert_eq!(job(waits).await.not_before, later);
}

#[tokio::test]
async fn the_place_of_a_job_counts_those_of_its_organisation_before_it() {
    let (world, _projector) = World::projected().await;
    for n in 1..=5 {
        world.append(org(1), scan(n), 0, &[requested()]).await;
    }
    world.append(org(2), scan(11), 0, &[requested()]).await;
    let last = world.append(org(2), scan(12), 0, &[requested()]).await;
    let view = world.view(jobs::NAME, last).await;
    let place = |n| {
        let (view, id) = (view.clone(), scan(n).to_string());
        async move { jobs::place(scope(1), &view, &id).await.unwrap().map(|place| place.ahead) }
    };
    assert_eq!((place(1).await, place(5).await), (Some(0), Some(4)));
    let depth = system::depth(&view).await.unwrap();
    assert_eq!((depth.len(), depth[0].jobs, depth[0].status), (1, 7, JobStatus::Queued));
}

#[tokio::test]
async fn an_api_key_is_found_by_the_hash_of_its_secret_until_it_is_revoked() {
    let (world, _projector) = World::projected().await;
    let key = domain::ids::ApiKeyId::from_uuid(uuid::Uuid::from_u128(7));
    let events = [
        ("created", json!({ "name": "Acme", "slug": "acme", "created_at": at(0) })),
        (
            "api_key_issued",
            json!({ "key_id": key, "name": "ci", "secret_hash": "ab12", "issued_at": at(1) }),
        ),
    ];
    let events = events.map(|(event, mut payload)| {
        payload["type"] = event.into();
        (format!("organization.{event}"), payload.to_string())
    });
    let id = org(1).to_string();
    let position = world.append_raw(org(1), organizations::TYPE, &id, 0, &events).await;
    let name = projections::organizations::NAME;
    let view = world.view(name, position).await;
    let found = projections::organizations::key_by_secret_hash(&view, "ab12").await.unwrap();
    let FoundKey { key: found, former, .. } = found.unwrap();
    assert_eq!((found.key_id, found.org, found.revoked_at), (key, org(1), None));
    assert_eq!((found.scopes, former), (vec!["*".to_owned()], false));
    assert!(!found.platform, "an event that says nothing of it gives no such right");
    assert_eq!(projections::organizations::key_by_secret_hash(&view, "ab13").await.unwrap(), None);

    let revoked = json!({ "type": "api_key_revoked", "key_id": key, "revoked_at": at(2) });
    let revoked = ("organization.api_key_revoked".to_owned(), revoked.to_string());
    let position = world.append_raw(org(1), organizations::TYPE, &id, 2, &[revoked]).await;
    let view = world.view(name, position).await;
    let slice = Slice { limit: 10, cursor: None };
    let keys = projections::organizations::keys(scope(1), &view, slice).await.unwrap().items;
    assert!(keys.len() == 1 && keys[0].revoked_at == Some(at(2)));
    let others = projections::organizations::keys(scope(2), &view, slice).await.unwrap();
    assert!(others.items.is_empty());
    let all = projections::organizations::list(&view, slice).await.unwrap();
    assert_eq!(all.items.iter().map(|row| row.slug.as_str()).collect::<Vec<_>>(), ["acme"]);
    let own = projections::organizations::get(scope(1), &view).await.unwrap();
    assert_eq!(own.map(|row| row.name), Some("Acme".to_owned()));
}
