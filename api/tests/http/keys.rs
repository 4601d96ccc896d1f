use chrono::TimeDelta;
use domain::{
    ids::ApiKeyId,
    organizations::{KeyTerms, Organization, OrganizationCommand},
};
use journal::{Actor, Clock, Context, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, Tenant, send, soon, website, with_json};

/// The key that an answer shows.
fn shown(server: &Server, answer: &Answer) -> Tenant {
    assert_eq!(answer.status, 202, "{}", answer.text);
    let body = answer.json();
    Tenant {
        org: server.owner.org,
        key_id: body["id"].as_str().unwrap().parse().unwrap(),
        key: body["secret"].as_str().unwrap().to_owned(),
    }
}

async fn issue_as(server: &Server, issuer: &Tenant, body: &Value) -> Answer {
    let request = server.bare(Method::POST, "/v1/keys").bearer_auth(&issuer.key);
    let answer = send(with_json(request, body)).await;
    if answer.status == 202 {
        // From here on the key is known to the front end.
        let request = server.request(Method::GET, "/v1/keys?limit=1");
        let read = send(request.header("millrace-min-position", answer.position())).await;
        assert_eq!(read.status, 200, "{}", read.text);
    }
    answer
}

async fn issue(server: &Server, body: &Value) -> Tenant {
    shown(server, &issue_as(server, &server.owner, body).await)
}

/// The field and the code that a request is refused for.
fn refused(answer: &Answer) -> (u16, String, String) {
    let field = answer.json()["errors"][0]["field"].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), answer.code(), field)
}

#[tokio::test]
async fn a_key_does_what_its_scopes_name_and_nothing_else() {
    let server = Server::start().await;
    let reader = issue(&server, &json!({ "name": "reader", "scopes": ["scans:read"] })).await;
    assert_eq!(server.get_as(&reader, "/v1/scans").await.status, 200);
    let scan = server.queued(&server.owner).await;
    for (method, path) in [
        (Method::POST, "/v1/scans".to_owned()),
        (Method::DELETE, format!("/v1/scans/{scan}")),
        (Method::GET, format!("/v1/scans/{scan}/findings")),
        (Method::GET, "/v1/events?after=0".to_owned()),
        (Method::GET, "/v1/keys".to_owned()),
        (Method::POST, "/v1/keys".to_owned()),
        (Method::DELETE, format!("/v1/keys/{}", server.owner.key_id)),
    ] {
        let request = server.bare(method.clone(), &path).bearer_auth(&reader.key);
        // Nothing of the request is looked at, so that it need not even be one.
        let answer = send(with_json(request, &json!({}))).await;
        let told = (answer.status.as_u16(), answer.code());
        assert_eq!(told, (403, "forbidden".to_owned()), "{method} {path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("boundary/scopes"));
    }
    assert_eq!(server.get_as(&reader, "/v1/projections").await.code(), "platform-only");
    let aliased = server.get_as(&reader, "/api/scans").await;
    assert_eq!(aliased.status, 200);
}

#[tokio::test]
async fn the_secret_of_a_key_is_shown_once_and_kept_nowhere() {
    let server = Server::start().await;
    let body = json!({ "name": "ci", "scopes": ["scans:*"] });
    let ask = || {
        let request = server.request(Method::POST, "/v1/keys").header("idempotency-key", "once");
        send(with_json(request, &body))
    };
    let first = ask().await;
    let key = shown(&server, &first);
    assert_eq!(first.header("location"), format!("/v1/keys/{}", key.key_id));
    assert_eq!(first.header("cache-control"), "no-store");
    let again = ask().await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    let mut without_secret = first.json();
    without_secret.as_object_mut().unwrap().remove("secret");
    assert_eq!(again.json(), without_secret);

    let read = server.fresh(&format!("/v1/keys/{}", key.key_id)).await;
    assert_eq!(read.json()["scopes"], json!(["scans:*"]));
    assert_eq!((&read.json()["state"], &read.json()["platform"]), (&json!("valid"), &json!(false)));
    let listed = server.fresh("/v1/keys").await;
    let events = server.get("/v1/events?after=0").await;
    for answer in [&read, &listed, &events] {
        assert!(!answer.text.contains(&key.key) && !answer.text.contains("secret_hash"));
    }
    let event = server.journal.at(first.position()).await.unwrap().unwrap();
    assert_eq!(event.actor, format!("api_key:{}", server.owner.key_id));
    assert!(!event.payload.get().contains(&key.key));
}

#[tokio::test]
async fn a_key_gives_no_more_than_it_has() {
    let server = Server::start().await;
    let end = SystemClock.now() + TimeDelta::hours(1);
    let limited = json!({
        "name": "limited",
        "scopes": ["keys:create", "keys:update", "scans:read"],
        "expires_at": end,
        "requests_per_minute": 100,
    });
    let issuer = issue(&server, &limited).await;
    let with = |changes: Value| {
        let mut body = limited.clone();
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body
    };
    let later = SystemClock.now() + TimeDelta::hours(2);
    for (changes, field) in [
        (json!({ "scopes": ["scans:*"] }), "scopes"),
        (json!({ "scopes": ["*"] }), "scopes"),
        (json!({ "expires_at": later }), "expires_at"),
        (json!({ "expires_at": null }), "expires_at"),
        (json!({ "requests_per_minute": 101 }), "requests_per_minute"),
        (json!({ "requests_per_minute": null }), "requests_per_minute"),
    ] {
        let answer = issue_as(&server, &issuer, &with(changes)).await;
        assert_eq!(refused(&answer), (403, "forbidden".to_owned(), field.to_owned()));
    }
    shown(&server, &issue_as(&server, &issuer, &with(json!({ "name": "child" }))).await);

    // Nor does it get the secret of one that has more.
    let path = format!("/v1/keys/{}/rotate", server.owner.key_id);
    assert_eq!(server.post_as(&issuer, &path).await.code(), "forbidden");

    for (changes, field) in [
        (json!({ "name": " " }), "name"),
        (json!({ "scopes": [] }), "scopes"),
        (json!({ "scopes": ["scans:fly"] }), "scopes"),
        (json!({ "scopes": ["projections:read"] }), "scopes"),
        (json!({ "expires_at": "2020-01-01T00:00:00Z" }), "expires_at"),
        (json!({ "requests_per_minute": 0 }), "requests_per_minute"),
    ] {
        let answer = issue_as(&server, &server.owner, &with(changes)).await;
        assert_eq!(refused(&answer), (422, "validation-failed".to_owned(), field.to_owned()));
    }
    let asked = with(json!({ "platform": true }));
    assert_eq!(issue_as(&server, &server.owner, &asked).await.code(), "invalid-body");
}

#[tokio::test]
async fn an_expired_key_is_refused_and_says_so() {
    let server = Server::start().await;
    let (key_id, secret) =
        (ApiKeyId::from_uuid(SystemClock.new_id()), api::keys::generate([9; 32]));
    let now = SystemClock.now();
    let terms =
        KeyTerms { expires_at: Some(now - TimeDelta::days(1)), ..KeyTerms::everything("past") };
    let command = OrganizationCommand::IssueApiKey {
        key_id,
        secret_hash: api::keys::hash_hex(&secret),
        terms,
        now: now - TimeDelta::days(2),
    };
    let org = server.owner.org;
    let context = Context::new(org, Actor::Operator, SystemClock.new_id());
    let id = org.to_string();
    server.journal.execute::<Organization>(&context, &id, command).await.unwrap();
    assert_eq!(server.fresh(&format!("/v1/keys/{key_id}")).await.json()["state"], "expired");
    let key = Tenant { org, key_id, key: secret };
    let answer = server.get_as(&key, "/v1/scans").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "key-expired".to_owned()));
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test]
async fn a_rotated_key_has_two_secrets_for_a_while_and_never_three() {
    let server = Server::start().await;
    let first = issue(&server, &json!({ "name": "ci", "scopes": ["scans:read"] })).await;
    let rotate = async |overlap_s: u32| {
        let path = format!("/v1/keys/{}/rotate?overlap_s={overlap_s}", first.key_id);
        let answer = send(server.request(Method::POST, &path)).await;
        let key = shown(&server, &answer);
        assert_eq!(key.key_id, first.key_id);
        let path = format!("/v1/keys/{}", first.key_id);
        assert!(server.fresh(&path).await.json()["rotated_at"].is_string());
        key
    };
    let second = rotate(3600).await;
    for key in [&first, &second] {
        assert_eq!(server.get_as(key, "/v1/scans").await.status, 200);
    }
    let third = rotate(0).await;
    assert_eq!(server.get_as(&third, "/v1/scans").await.status, 200);
    ends(&server, &first, "unauthenticated").await;
    ends(&server, &second, "key-expired").await;

    let path = format!("/v1/keys/{}/rotate?overlap_s=2592001", first.key_id);
    let answer = send(server.request(Method::POST, &path)).await;
    assert_eq!(refused(&answer), (422, "validation-failed".to_owned(), "overlap_s".to_owned()));
}

/// A key that worked a moment ago is refused within the second for which it is remembered.
async fn ends(server: &Server, key: &Tenant, code: &str) {
    soon(async {
        loop {
            let answer = server.get_as(key, "/v1/scans").await;
            if answer.status == 401 {
                return assert_eq!(answer.code(), code);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_and_stays_in_the_list() {
    let server = Server::start().await;
    let key = issue(&server, &json!({ "name": "ci", "scopes": ["*"] })).await;
    let path = format!("/v1/keys/{}", key.key_id);
    let revoked = send(server.request(Method::DELETE, &path)).await;
    assert_eq!(revoked.status, 202, "{}", revoked.text);
    assert_eq!(revoked.header("location"), path);
    ends(&server, &key, "unauthenticated").await;
    assert_eq!(server.fresh(&path).await.json()["state"], "revoked");
    let rotated = server.post_as(&server.owner, &format!("{path}/rotate")).await;
    assert_eq!(rotated.code(), "conflict");
    assert_eq!(send(server.request(Method::DELETE, &path)).await.status, 202);
}

#[tokio::test]
async fn the_keys_are_listed_in_pages_and_say_when_they_were_used() {
    let server = Server::start().await;
    for number in 0..4 {
        issue(&server, &json!({ "name": format!("key {number}"), "scopes": ["*"] })).await;
    }
    let mut names = Vec::new();
    let mut path = "/v1/keys?limit=2".to_owned();
    loop {
        let page = server.fresh(&path).await.json();
        let keys = page["keys"].as_array().unwrap();
        names.extend(keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/keys?limit=2&cursor={cursor}");
    }
    assert_eq!(names, ["key 3", "key 2", "key 1", "key 0", "test"]);
    let own = format!("/v1/keys/{}", server.owner.key_id);
    soon(async {
        while server.get(&own).await.json()["last_used_at"].is_null() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    let head = server.journal.head().await.unwrap();
    assert_eq!(head, 6, "the use of a key is no event");
}

#[tokio::test]
async fn a_key_has_a_limit_of_its_own() {
    let server = Server::start().await;
    let body = json!({ "name": "slow", "scopes": ["*"], "requests_per_minute": 2 });
    let slow = issue(&server, &body).await;
    for _ in 0..2 {
        let answer = server.get_as(&slow, "/v1/scans").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), "\"key\";q=2;w=60");
    }
    assert_eq!(server.get_as(&slow, "/v1/scans").await.code(), "too-many-requests");
    assert_eq!(server.post("/v1/scans", &website()).await.status, 202);
}

#[tokio::test]
async fn a_key_of_the_platform_is_no_business_of_its_organisations_other_keys() {
    let server = Server::start().await;
    let operator = server.operator().await;
    let path = format!("/v1/keys/{}", operator.key_id);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(
            send(server.request(method, &path)).await.status,
            404,
            "of another organisation"
        );
    }
    let read = server.get_as(&operator, &path).await;
    assert_eq!(read.json()["platform"], true);
    let revoked = send(server.bare(Method::DELETE, &path).bearer_auth(&operator.key)).await;
    assert_eq!(revoked.code(), "forbidden");
    assert_eq!(server.post_as(&operator, &format!("{path}/rotate")).await.code(), "forbidden");
}
