use std::time::{Duration, Instant};

use domain::{
    ids::{ApiKeyId, OrganizationId, UserId},
    organizations::{self, Organization, OrganizationEvent, Role},
};
use journal::{AppendRequest, NewEvent};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accounts::{Person, server},
    organizations::Made,
    support::{Server, send, with_json},
};

impl Server {
    async fn explains(&self, token: &str, question: Value) -> Value {
        let request = self.bare(Method::POST, "/v1/access/explain").bearer_auth(token);
        let answer = send(with_json(request, &question)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn changes(&self, token: &str, path: &str, role: &str) -> u64 {
        let request = self.bare(Method::PUT, path).bearer_auth(token);
        let answer = send(with_json(request, &json!({ "role": role }))).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.position()
    }
}

impl Server {
    /// Whatever happened in an organisation.
    async fn happens(&self, org: OrganizationId, events: Vec<(&str, OrganizationEvent)>) {
        let (journal, id) = (&self.journal, org.to_string());
        let state = journal.state::<Organization>(org, &id).await.unwrap();
        let events = events.into_iter().map(|(name, event)| NewEvent {
            event_id: journal.clock().new_id(),
            event_type: format!("organization.{name}"),
            event_version: "1".to_owned(),
            payload: serde_json::value::to_raw_value(&event).unwrap(),
        });
        let request = AppendRequest {
            org,
            aggregate_type: organizations::TYPE,
            aggregate_id: id,
            expected_version: state.map_or(0, |(_, version)| version),
            events: events.collect(),
            claims: Vec::new(),
            idempotency: None,
            command_id: journal.clock().new_id(),
            correlation_id: journal.clock().new_id(),
            causation_id: None,
            actor: "test".to_owned(),
            metadata: Default::default(),
        };
        journal.append_request(request).await.unwrap();
    }
}

fn ids(explanation: &Value) -> Vec<&str> {
    let deciders = explanation["decided_by"].as_array().unwrap().iter();
    deciders.map(|decider| decider["id"].as_str().unwrap()).collect()
}

fn ground<'a>(explanation: &'a Value, kind: &str) -> &'a Value {
    let grounds = explanation["grounds"].as_array().unwrap();
    let found = grounds.iter().find(|ground| ground["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {explanation}"))
}

fn last(ground: &Value) -> &Value {
    ground["events"].as_array().unwrap().last().unwrap()
}

async fn colleague(server: &Server, org: &str, email: &str) -> Person {
    let person = server.person(email).await;
    let made = Made { org: org.parse().unwrap(), path: format!("/v1/organizations/{org}") };
    server.joins(&made, &person, Role::Viewer).await;
    person
}

#[tokio::test]
async fn an_answer_names_the_rule_and_the_events_behind_it_now_and_then() {
    let server = server().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let bob = colleague(&server, &ada.org, "bob@example.org").await;
    let owner = ada.person.access();
    let member = format!("/v1/organizations/{}/members/{}", ada.org, bob.id);
    let as_viewer = server.journal.head().await.unwrap();
    let promoted = server.changes(owner, &member, "developer").await;

    let about_bob = |as_of: Value| {
        let mut question = json!({ "user_id": bob.id.to_string(), "action": "scans:create" });
        if !as_of.is_null() {
            question["as_of"] = as_of.to_string().trim_matches('"').into();
        }
        question
    };
    let now = server.explains(owner, about_bob(Value::Null)).await;
    assert_eq!((&now["allowed"], &now["reason"]), (&json!(true), &json!("allowed")), "{now}");
    assert_eq!(ids(&now), ["developer/scans:create"]);
    let behind = last(ground(&now, "membership"));
    assert_eq!(
        (&behind["position"], &behind["type"]),
        (&json!(promoted), &json!("organization.member_changed"))
    );
    assert_eq!(behind["actor"], format!("user:{}", ada.person.id));

    let then = server.explains(owner, about_bob(json!(as_viewer))).await;
    assert_eq!(
        (&then["allowed"], &then["reason"]),
        (&json!(false), &json!("not_allowed")),
        "{then}"
    );
    assert!(then["position"].as_u64().unwrap() <= as_viewer);
    let before = json!({ "user_id": bob.id.to_string(), "action": "scans:create", "as_of": "1" });
    let before = server.explains(owner, before).await;
    assert_eq!(before["allowed"], false);
    assert_eq!(ground(&before, "membership")["events"], json!([]));
    let at_promotion = behind["recorded_at"].clone();
    assert_eq!(server.explains(owner, about_bob(at_promotion)).await["allowed"], true);
}

#[tokio::test]
async fn a_policy_that_denies_is_named_with_whoever_wrote_it() {
    let server = server().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let owner = ada.person.access();
    let question = json!({
        "action": "scans:create",
        "circumstances": { "environment": "production" },
    });
    let before = server.explains(owner, question.clone()).await;
    assert_eq!(before["allowed"], true, "{before}");
    let policy = json!({
        "name": "no scans of production",
        "effect": "deny",
        "resource_type": "scans",
        "actions": ["create"],
        "conditions": { "environment": { "equals": "production" } },
    });
    let added = server.gives(owner, "/v1/policies", &policy).await;
    assert_eq!(added.status, 202, "{}", added.text);
    let id = added.json()["id"].as_str().unwrap().to_owned();

    let after = server.explains(owner, question.clone()).await;
    assert_eq!((&after["allowed"], &after["reason"]), (&json!(false), &json!("denied")));
    assert_eq!(ids(&after), [id.as_str()]);
    assert_eq!(after["decided_by"][0]["name"], "no scans of production");
    let behind = last(ground(&after, "policy"));
    assert_eq!(behind["position"], added.json()["position"]);
    assert_eq!(behind["actor"], format!("user:{}", ada.person.id));
    // What is not known does not keep a deny from matching.
    let unknown = server.explains(owner, json!({ "action": "scans:create" })).await;
    assert_eq!(unknown["reason"], "denied", "{unknown}");
    let conditions = &unknown["considered"].as_array().unwrap().iter();
    let own = conditions.clone().find(|considered| considered["id"] == id.as_str()).unwrap();
    assert_eq!(own["conditions"][0]["outcome"], "not_known", "{own}");
    let mut then = question;
    then["as_of"] = before["position"].to_string().into();
    assert_eq!(server.explains(owner, then).await["allowed"], true);
}

#[tokio::test]
async fn what_bars_somebody_is_no_matter_of_policies() {
    let server = server().await;
    let operator = server.operator().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let owner = ada.person.access();
    let scans = json!({ "action": "scans:read" });
    let by_key = server.explains(&ada.key, scans.clone()).await;
    assert_eq!(by_key["allowed"], true, "{by_key}");
    let issued = last(ground(&by_key, "api_key"));
    assert_eq!(issued["type"], "organization.api_key_issued");
    let key = ground(&by_key, "api_key")["id"].clone();
    let about_key = json!({ "key_id": key, "action": "scans:read" });

    assert_eq!(server.ask("/v1/keys/leaked", json!({ "secrets": [ada.key] })).await.status, 200);
    let revoked = server.explains(owner, about_key.clone()).await;
    assert_eq!((&revoked["reason"], ids(&revoked)), (&json!("barred"), vec!["key-revoked"]));
    assert_eq!(last(ground(&revoked, "api_key"))["actor"], "anonymous");
    let mut before = about_key;
    before["as_of"] = issued["position"].to_string().into();
    assert_eq!(server.explains(owner, before).await["allowed"], true);

    let path = format!("organizations/{}/suspend", ada.org);
    let reason = json!({ "reason": "unpaid" });
    assert_eq!(server.operates(&operator, &path, &reason).await.status, 202);
    let lifted = format!("organizations/{}/unsuspend", ada.org);
    let during = server.journal.head().await.unwrap();
    assert_eq!(server.operates(&operator, &lifted, &json!({})).await.status, 202);
    let mut then = scans;
    then["as_of"] = during.to_string().into();
    let explains = async {
        loop {
            let request = server.bare(Method::POST, "/v1/access/explain").bearer_auth(owner);
            let answer = send(with_json(request, &then)).await;
            if answer.status == 200 {
                return answer.json();
            }
        }
    };
    let suspended = crate::support::soon(explains).await;
    assert_eq!(ids(&suspended), ["organization-suspended"], "{suspended}");
    let by = last(ground(&suspended, "organization"));
    assert_eq!(by["actor"], format!("api_key:{}", operator.key_id));
}

#[tokio::test]
async fn about_others_asks_whoever_may_and_only_in_the_own_organisation() {
    let server = server().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let eve = server.with_organization("eve@example.org", "evil").await;
    let bob = colleague(&server, &ada.org, "bob@example.org").await;
    let about = |user: &Person| json!({ "user_id": user.id.to_string(), "action": "scans:read" });
    let own = server.explains(bob.access(), json!({ "action": "scans:read" })).await;
    assert_eq!((&own["allowed"], &own["considered"]), (&json!(true), &json!([])), "{own}");
    let refused = server.gives(bob.access(), "/v1/access/explain", &about(&ada.person)).await;
    assert_eq!(refused.code(), "forbidden");
    // To another organisation's owner they are nobody, and their key is no key.
    let stranger = server.explains(eve.person.access(), about(&ada.person)).await;
    assert_eq!(stranger["allowed"], false);
    assert_eq!(ground(&stranger, "membership")["events"], json!([]));
    let by_key = server.explains(&ada.key, json!({ "action": "scans:read" })).await;
    let key = ground(&by_key, "api_key")["id"].clone();
    let question = json!({ "key_id": key, "action": "scans:read" });
    let unknown = server.explains(eve.person.access(), question).await;
    assert_eq!(ids(&unknown), ["key-unknown"], "{unknown}");
    for bad in [json!({ "action": "scans:fly" }), json!({ "action": "scans:read", "as_of": "x" })] {
        let answer = server.gives(ada.person.access(), "/v1/access/explain", &bad).await;
        assert!(answer.status.is_client_error(), "{}", answer.text);
    }
}

/// Of keys, nine in ten: they are rotated the year round, and a question about a person asks for none of them.
#[tokio::test]
async fn an_answer_does_not_wait_for_ten_thousand_events() {
    let server = server().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let (org, now) = (ada.org.parse::<OrganizationId>().unwrap(), server.journal.clock().now());
    for _ in 0..10 {
        let events = (0..1000).map(|n| {
            let id = server.journal.clock().new_id();
            match n % 10 {
                0 => {
                    let user_id = UserId::from_uuid(id);
                    let removed = OrganizationEvent::MemberRemoved { user_id, removed_at: now };
                    ("member_removed", removed)
                }
                _ => {
                    let rotated = OrganizationEvent::ApiKeyRotated {
                        key_id: ApiKeyId::from_uuid(id),
                        secret_hash: id.simple().to_string().repeat(2),
                        former_valid_until: now,
                        rotated_at: now,
                    };
                    ("api_key_rotated", rotated)
                }
            }
        });
        server.happens(org, events.collect()).await;
    }
    let person = json!({ "action": "scans:create" });
    for (what, token) in [("person", ada.person.access()), ("key", ada.key.as_str())] {
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let asked = Instant::now();
            let answer = server.explains(token, person.clone()).await;
            best = best.min(asked.elapsed());
            assert_eq!(answer["allowed"], true, "{answer}");
        }
        println!("about a {what}, among 10,000 events: {best:?}");
        assert!(best < Duration::from_secs(2), "about a {what}: {best:?}");
    }
}
