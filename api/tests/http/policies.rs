use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, send, soon, website, with_json};

fn no_scans() -> Value {
    json!({
        "name": "no scans",
        "effect": "deny",
        "resource_type": "scans",
        "actions": ["create"],
    })
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// What was asked for holds a moment later.
async fn until(server: &Server, status: u16) -> Answer {
    soon(async {
        loop {
            let answer = server.post("/v1/scans", &website()).await;
            if answer.status == status {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_policy_holds_from_when_it_is_added_until_it_is_removed() {
    let server = Server::start().await;
    assert_eq!(server.post("/v1/scans", &website()).await.status, 202);
    let added = server.post("/v1/policies", &no_scans()).await;
    let policy = id(&added);
    let path = format!("/v1/policies/{policy}");
    assert_eq!(added.header("location"), path);
    let refused = until(&server, 403).await;
    assert_eq!(refused.code(), "forbidden");
    assert!(refused.json()["detail"].as_str().unwrap().contains(&policy), "{}", refused.text);
    assert_eq!(server.get("/v1/scans").await.status, 200, "it is about nothing else");

    let read = server.fresh(&path).await.json();
    assert_eq!(read["policy"]["name"], "no scans");
    assert_eq!(read["text"], "denies scans:create to every member");
    let mut elsewhere = no_scans();
    elsewhere["conditions"] = json!({ "address": { "in": ["192.0.2.0/24"] } });
    let changed = send(with_json(server.request(Method::PUT, &path), &elsewhere)).await;
    assert_eq!(id(&changed), policy);
    drop(until(&server, 202).await);
    assert!(server.fresh(&path).await.json()["changed_at"].is_string());

    let here = json!({ "address": { "in": ["127.0.0.0/8"] } });
    elsewhere["conditions"] = here;
    id(&send(with_json(server.request(Method::PUT, &path), &elsewhere)).await);
    drop(until(&server, 403).await);
    assert_eq!(id(&send(server.request(Method::DELETE, &path)).await), policy);
    drop(until(&server, 202).await);
    assert_eq!(server.fresh(&path).await.status, 404);
    let gone = send(with_json(server.request(Method::PUT, &path), &no_scans())).await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn a_policy_is_of_one_organisation_and_never_reaches_past_its_boundaries() {
    let server = Server::start().await;
    let other = server.another_tenant().await;
    let operator = server.operator().await;
    let policy = id(&server.post("/v1/policies", &no_scans()).await);
    drop(until(&server, 403).await);
    let request = server.bare(Method::POST, "/v1/scans").bearer_auth(&other.key);
    assert_eq!(send(with_json(request, &website())).await.status, 202);
    let path = format!("/v1/policies/{policy}");
    for method in [Method::GET, Method::DELETE] {
        let request = server.bare(method, &path).bearer_auth(&other.key);
        assert_eq!(send(request).await.status, 404);
    }
    let generous = json!({
        "name": "all", "effect": "allow", "resource_type": "*", "actions": ["*"],
    });
    let reader = json!({ "name": "reader", "scopes": ["scans:read"] });
    let reader =
        server.post("/v1/keys", &reader).await.json()["secret"].as_str().unwrap().to_owned();
    let added = server.post("/v1/policies", &generous).await;
    server.fresh(&format!("/v1/policies/{}", id(&added))).await.json();
    let request = server.bare(Method::GET, "/v1/keys").bearer_auth(&reader);
    assert_eq!(send(request).await.code(), "forbidden", "a scope is not widened");
    assert_eq!(server.get("/v1/projections").await.code(), "platform-only");
    assert_eq!(server.get_as(&operator, "/v1/projections").await.status, 200);
}

#[tokio::test]
async fn every_fault_of_a_policy_is_told_with_its_field() {
    let server = Server::start().await;
    let bad = json!({
        "effect": "deny",
        "resource_type": "scans",
        "actions": ["create"],
        "conditions": { "time": { "between": ["22:00", "06:00"], "zone": "Europe/Atlantis" } },
        "colour": "red",
    });
    let answer = server.post("/v1/policies", &bad).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "validation-failed".to_owned()));
    let errors = answer.json()["errors"].clone();
    let fields: Vec<_> =
        errors.as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert!(fields.contains(&"name") && fields.contains(&"colour"), "{fields:?}");
    let mut zone = bad;
    zone["name"] = "x".into();
    zone.as_object_mut().unwrap().remove("colour");
    let answer = server.post("/v1/policies", &zone).await;
    assert_eq!(answer.json()["errors"][0]["field"], "conditions.time.zone");
    assert_eq!(server.post("/v1/policies", &json!([])).await.status, 422);
}

#[tokio::test]
async fn policies_are_listed_in_pages_and_added_once_under_a_key() {
    let server = Server::start().await;
    let mut added = Vec::new();
    for _ in 0..3 {
        let mut policy = no_scans();
        policy["conditions"] = json!({ "environment": { "equals": "nowhere" } });
        policy["effect"] = "allow".into();
        added.push(id(&server.post("/v1/policies", &policy).await));
    }
    let again = || {
        let request = server.request(Method::POST, "/v1/policies");
        send(with_json(request.header("idempotency-key", "once"), &no_scans()))
    };
    let first = again().await;
    added.push(id(&first));
    assert_eq!(id(&again().await), id(&first));
    let first = server.fresh("/v1/policies?limit=3").await.json();
    let path = format!("/v1/policies?cursor={}", first["next_cursor"].as_str().unwrap());
    let second = server.fresh(&path).await.json();
    let listed =
        [&first, &second].into_iter().flat_map(|page| page["policies"].as_array().unwrap());
    let listed: Vec<_> = listed.map(|policy| policy["id"].as_str().unwrap()).collect();
    assert_eq!(listed, added);
}

/// Under the schema that the document has for it.
fn is_described(policy: &Value) -> bool {
    let document: Value = serde_json::from_str(&api::openapi().0).unwrap();
    let place = "/paths/~1v1~1policies/post/requestBody/content/application~1json/schema";
    let schema = document.pointer(place).unwrap()["$ref"].as_str().unwrap().to_owned();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("http://document", document).unwrap();
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile(&format!("http://document{schema}"), &mut schemas).unwrap();
    schemas.validate(policy, index).is_ok()
}

#[tokio::test]
async fn the_document_describes_what_is_taken_and_what_is_shown() {
    let server = Server::start().await;
    let with = |field: &str, value: Value| {
        let mut policy = no_scans();
        policy[field] = value;
        policy
    };
    let conditions = |conditions: Value| with("conditions", conditions);
    let fine = [
        no_scans(),
        with("roles", json!(["viewer", "admin"])),
        conditions(json!({ "environment": { "not_in": ["production"] }, "second_factor": true })),
        conditions(json!({ "attributes": { "region": { "equals": "eu" } } })),
        conditions(json!({ "time": { "weekdays": ["sat", "sun"], "zone": "Europe/Berlin" } })),
    ];
    for policy in fine {
        assert!(is_described(&policy), "{policy}");
        let id = id(&server.post("/v1/policies", &policy).await);
        let shown = server.fresh(&format!("/v1/policies/{id}")).await.json();
        assert_eq!(shown["policy"], policy);
        let removed = server.request(Method::DELETE, &format!("/v1/policies/{id}"));
        assert_eq!(send(removed).await.status, 202);
        drop(until(&server, 202).await);
    }
    let bad = [
        json!([]),
        json!({ "name": "no scans" }),
        with("effect", json!("perhaps")),
        with("roles", json!(["king"])),
        with("actions", json!("create")),
        conditions(json!({ "environment": "production" })),
        conditions(json!({ "environment": { "equals": "a", "in": ["b"] } })),
        conditions(json!({ "address": { "equals": "10.0.0.1" } })),
        conditions(json!({ "time": { "weekdays": ["someday"], "zone": "UTC" } })),
        conditions(json!({ "time": { "between": ["09:00"], "zone": "UTC" } })),
    ];
    for policy in bad {
        assert!(!is_described(&policy), "{policy}");
        assert_eq!(server.post("/v1/policies", &policy).await.code(), "validation-failed");
    }
}
