use std::collections::BTreeMap;

use domain::ids::ScanId;
use journal::{AppendRequest, Clock, NewEvent, SystemClock};
use reqwest::Method;
use serde_json::{Value, json, value::RawValue};

use crate::support::{Server, Tenant, send};

/// A read that has seen everything that is in the log.
async fn fresh(server: &Server, tenant: &Tenant, path: &str) -> Value {
    let head = server.journal.head().await.unwrap();
    let request = server.bare(Method::GET, path).bearer_auth(&tenant.key);
    let answer = send(request.header("millrace-min-position", head)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.position() >= head);
    answer.json()
}

/// A scan with an event that no view can apply and a cancellation behind it; gives the position
/// of the former too.
pub async fn poisoned(server: &Server, tenant: &Tenant) -> (ScanId, u64) {
    let id = server.queued(tenant).await;
    let events = [
        ("scan.exploded", json!({ "type": "exploded" })),
        (
            "scan.cancel_requested",
            json!({ "type": "cancel_requested", "requested_at": SystemClock.now() }),
        ),
    ];
    let events = events.map(|(event_type, payload)| NewEvent {
        event_id: SystemClock.new_id(),
        event_type: event_type.to_owned(),
        event_version: "1".to_owned(),
        payload: RawValue::from_string(payload.to_string()).unwrap(),
    });
    let request = AppendRequest {
        org: tenant.org,
        aggregate_type: domain::scans::TYPE,
        aggregate_id: id.to_string(),
        expected_version: 1,
        events: events.into(),
        claims: Vec::new(),
        idempotency: None,
        command_id: SystemClock.new_id(),
        correlation_id: SystemClock.new_id(),
        causation_id: None,
        actor: "operator".to_owned(),
        metadata: BTreeMap::new(),
    };
    let appended = server.journal.append_request(request).await.unwrap();
    (id, appended.last_position - 1)
}

fn letters(page: &Value) -> &Vec<Value> {
    page["dead_letters"].as_array().unwrap()
}

#[tokio::test]
async fn an_organisation_sees_which_of_its_events_are_in_no_view_and_why() {
    let server = Server::start().await;
    let (scan, poison) = poisoned(&server, &server.owner).await;
    let page = fresh(&server, &server.owner, "/v1/dead-letters").await;
    let ids: Vec<_> = letters(&page).iter().map(|letter| letter["id"].clone()).collect();
    let behind = poison + 1;
    let expected = [
        format!("jobs-{poison}"),
        format!("scans-{poison}"),
        format!("jobs-{behind}"),
        format!("scans-{behind}"),
    ];
    assert_eq!(ids, expected);
    let some = fresh(&server, &server.owner, "/v1/dead-letters?projection=scans").await;
    assert_eq!((letters(&some).len(), some.get("next_cursor")), (2, None));

    let path = format!("/v1/dead-letters/scans-{poison}");
    let letter = server.get(&path).await.json();
    assert_eq!(letter["projection"], "scans");
    assert_eq!(letter["position"], poison);
    assert_eq!(letter["aggregate_id"], scan.to_string());
    assert_eq!(letter["organization_id"], server.owner.org.to_string());
    let build = &letter["builds"][0];
    assert_eq!((&build["parked"], &build["attempts"]), (&json!(false), &json!(1)));
    assert!(build["error"].as_str().unwrap().contains("scan.exploded"), "{build}");
    assert_eq!(letter["event"]["type"], "scan.exploded");
    assert_eq!(letter["event"]["data"], json!({ "type": "exploded" }));
}

#[tokio::test]
async fn dead_letters_are_listed_page_by_page() {
    let server = Server::start().await;
    for _ in 0..2 {
        poisoned(&server, &server.owner).await;
    }
    let whole = fresh(&server, &server.owner, "/v1/dead-letters").await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/v1/dead-letters?limit=3{cursor}")).await.json();
        seen.extend(letters(&page).iter().map(|letter| letter["id"].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let whole: Vec<_> = letters(&whole).iter().map(|letter| letter["id"].clone()).collect();
    assert_eq!((seen.len(), seen), (8, whole));
}

#[tokio::test]
async fn dead_letters_of_others_are_shown_to_the_platform_without_their_events() {
    let server = Server::start().await;
    let (other, operator) = (server.another_tenant().await, server.operator().await);
    let (_, poison) = poisoned(&server, &other).await;
    let path = format!("/v1/dead-letters/scans-{poison}");
    assert!(letters(&fresh(&server, &server.owner, "/v1/dead-letters").await).is_empty());
    assert_eq!(server.get(&path).await.code(), "not-found");
    assert_eq!(letters(&fresh(&server, &operator, "/v1/dead-letters").await).len(), 4);
    let letter = server.get_as(&operator, &path).await.json();
    assert_eq!(letter["organization_id"], other.org.to_string());
    assert_eq!(letter.get("event"), None, "{letter}");
}

#[tokio::test]
async fn what_failed_before_is_applied_by_a_replay() {
    let server = Server::start().await;
    let operator = server.operator().await;
    let pool = server.journal.pool();
    let limit = "ALTER TABLE scans_v1.scans ADD CONSTRAINT none CHECK (state <> 'running')";
    sqlx::query(limit).execute(pool).await.unwrap();
    let (scan, _) = server.running(&server.owner).await;
    let page = fresh(&server, &server.owner, "/v1/dead-letters").await;
    let parked: Vec<_> = letters(&page).iter().map(|l| &l["builds"][0]["parked"]).collect();
    assert_eq!(parked, [&json!(false), &json!(true)]);
    let id = letters(&page)[0]["id"].as_str().unwrap();

    let replay = format!("/v1/dead-letters/{id}/replay");
    let own = server.post_as(&server.owner, &replay).await;
    assert_eq!((own.status.as_u16(), own.code().as_str()), (403, "platform-only"));
    let again = server.post_as(&operator, &replay).await;
    assert_eq!(again.status, 202, "{}", again.text);
    assert_eq!(again.header("location"), format!("/v1/dead-letters/{id}"));
    assert_eq!(again.json()["builds"], json!([{ "generation": 1, "applied": 0, "left": 2 }]));
    let letter = server.get(&format!("/v1/dead-letters/{id}")).await.json();
    assert_eq!(letter["builds"][0]["attempts"], 2);

    sqlx::query("ALTER TABLE scans_v1.scans DROP CONSTRAINT none").execute(pool).await.unwrap();
    let done = server.post_as(&operator, &replay).await;
    assert_eq!(done.json()["builds"], json!([{ "generation": 1, "applied": 2, "left": 0 }]));
    assert_eq!(server.get(&format!("/v1/scans/{scan}")).await.json()["state"], "running");
    assert_eq!(server.post_as(&operator, &replay).await.code(), "not-found");
}

#[tokio::test]
async fn a_view_goes_on_without_what_was_discarded() {
    let server = Server::start().await;
    let operator = server.operator().await;
    let (scan, poison) = poisoned(&server, &server.owner).await;
    fresh(&server, &server.owner, "/v1/dead-letters").await;
    let path = |position: u64| format!("/v1/dead-letters/scans-{position}/discard");
    let parked = server.post_as(&operator, &path(poison + 1)).await;
    assert_eq!((parked.status.as_u16(), parked.code().as_str()), (409, "conflict"));
    assert_eq!(server.post_as(&server.owner, &path(poison)).await.code(), "platform-only");

    let done = server.post_as(&operator, &path(poison)).await;
    assert_eq!(done.status, 202, "{}", done.text);
    assert_eq!(done.json()["builds"], json!([{ "generation": 1, "applied": 1, "left": 0 }]));
    let left = fresh(&server, &server.owner, "/v1/dead-letters?projection=scans").await;
    assert!(letters(&left).is_empty(), "{left}");
    let scan = server.get(&format!("/v1/scans/{scan}")).await.json();
    assert_eq!((&scan["version"], &scan["cancel_requested"]), (&json!(3), &json!(true)));
    assert_eq!(server.post_as(&operator, &path(poison)).await.code(), "not-found");
}
