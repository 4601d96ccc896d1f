use api::Options;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Server, send, website, with_json};

#[tokio::test]
async fn every_bad_request_is_answered_with_a_problem() {
    let server = Server::start().await;
    let missing = "scan_01h455vb4pex5vsknk084sn02q";
    let gets = [
        ("/nothing/here", 404, "no-such-route"),
        ("/v1/scans/not-an-id", 404, "not-found"),
        (&format!("/v1/scans/{missing}"), 404, "not-found"),
        (&format!("/v1/scans/{missing}/report?format=pdf"), 400, "invalid-parameter"),
        ("/v1/scans?limit=0", 400, "invalid-parameter"),
        ("/v1/scans?limit=501", 400, "invalid-parameter"),
        ("/v1/scans?limit=many", 400, "invalid-parameter"),
        ("/v1/scans?cursor=garbage", 400, "invalid-parameter"),
        ("/v1/scans?cursor=%00%ff", 400, "invalid-parameter"),
        ("/v1/scans?state=sleeping", 400, "invalid-parameter"),
        (&format!("/v1/scans/{missing}?as_of=yesterday"), 400, "invalid-parameter"),
        ("/v1/dead-letters/scans-017", 404, "not-found"),
        ("/v1/dead-letters/scans-18446744073709551615", 404, "not-found"),
        ("/v1/dead-letters?projection=toasters", 400, "invalid-parameter"),
        ("/v1/dead-letters?cursor=garbage", 400, "invalid-parameter"),
        ("/v1/projections", 403, "platform-only"),
        ("/v1/projections/toasters", 403, "platform-only"),
        ("/v1/events?types=scan.popped", 400, "invalid-parameter"),
        ("/v1/events?aggregate_id=toaster_1", 400, "invalid-parameter"),
        ("/v1/events?after=-1", 400, "invalid-parameter"),
        ("/v1/events/ws", 400, "bad-request"),
    ];
    for (path, status, code) in gets {
        let answer = server.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{path}");
    }
}

#[tokio::test]
async fn every_bad_body_is_answered_with_a_problem_that_names_the_place() {
    let server = Server::start().await;
    let target = |value: Value| json!({ "target": value });
    let cases = [
        (json!({}), 400, "body"),
        (json!([]), 400, "body"),
        (json!({"target": {"kind": "toaster"}}), 400, "body"),
        (json!({"target": {"kind": "website", "url": "https://a.org"}, "x": 1}), 400, "body"),
        (target(json!({"kind": "website"})), 422, "target.url"),
        (target(json!({"kind": "website", "path": "/a"})), 422, "target.path"),
        (target(json!({"kind": "website", "url": "nonsense"})), 422, "target.url"),
        (target(json!({"kind": "website", "url": "ftp://a.org"})), 422, "target.url"),
        (target(json!({"kind": "website", "url": "https://u:p@a.org"})), 422, "target.url"),
        (target(json!({"kind": "repository"})), 422, "target.url"),
        (target(json!({"kind": "repository", "url": "x", "path": "y"})), 422, "target.path"),
        (target(json!({"kind": "repository", "path": "../up"})), 422, "target.path"),
        (
            json!({"target": {"kind": "website", "url": "https://a.org"}, "engines": []}),
            422,
            "engines",
        ),
        (
            json!({"target": {"kind": "website", "url": "https://a.org"}, "engines": ["secrets"]}),
            422,
            "engines",
        ),
    ];
    for (body, status, field) in cases {
        let answer = server.post("/v1/scans", &body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
        let expected = if status == 400 { "invalid-body" } else { "validation-failed" };
        assert_eq!(answer.code(), expected, "{body}");
        assert_eq!(answer.json()["errors"][0]["field"], field, "{}", answer.text);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_beside_its_body_is_a_problem_too() {
    let server = Server::start().await;
    let ask = || server.request(Method::POST, "/v1/scans");
    let cases = [
        (ask().body("{}"), 415, "unsupported-media-type"),
        (ask().header("content-type", "text/plain").body("{}"), 415, "unsupported-media-type"),
        (ask().header("content-type", "application/json").body("{"), 400, "invalid-body"),
        (
            with_json(ask().header("idempotency-key", "two words"), &website()),
            400,
            "invalid-parameter",
        ),
        (
            with_json(ask().header("idempotency-key", "x".repeat(256)), &website()),
            400,
            "invalid-parameter",
        ),
        (
            server.request(Method::GET, "/v1/scans").header("millrace-min-position", "soon"),
            400,
            "invalid-parameter",
        ),
        (server.request(Method::PUT, "/v1/scans"), 405, "method-not-allowed"),
        (server.request(Method::POST, "/docs"), 405, "method-not-allowed"),
    ];
    for (request, status, code) in cases {
        let answer = send(request).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code));
        if status == 405 {
            assert!(answer.header("allow").starts_with("GET, HEAD"), "{:?}", answer.headers);
        }
    }
}

#[tokio::test]
async fn a_missing_or_bad_key_is_refused_in_every_form() {
    let server = Server::start().await;
    let unknown = api::keys::generate([9; 32]);
    let ask = || server.bare(Method::GET, "/v1/scans");
    let refused = [
        ask(),
        ask().bearer_auth(&unknown),
        ask().bearer_auth("mr_short"),
        ask().header("authorization", "Basic dXNlcjpwYXNz"),
        ask().header("x-api-key", &unknown),
        ask().header("x-api-key", ""),
        ask().bearer_auth(&server.owner.key).header("x-api-key", &server.owner.key),
    ];
    for request in refused {
        let answer = send(request).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.code(), "unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        assert!(!answer.text.contains("mr_B"), "the answer repeats the key: {}", answer.text);
    }
    assert_eq!(send(ask().header("x-api-key", &server.owner.key)).await.status, 200);
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_two_seconds() {
    use domain::organizations::{Organization, OrganizationCommand};
    use journal::{Actor, Clock, Context, SystemClock};
    let server = Server::start().await;
    let owner = &server.owner;
    let context = Context::new(owner.org, Actor::Operator, SystemClock.new_id());
    let revoke = OrganizationCommand::RevokeApiKey { key_id: owner.key_id, now: SystemClock.now() };
    server.journal.execute::<Organization>(&context, &owner.org.to_string(), revoke).await.unwrap();
    let revoked_at = std::time::Instant::now();
    while server.get("/v1/scans").await.status != StatusCode::UNAUTHORIZED {
        assert!(revoked_at.elapsed().as_secs() < 2, "the key is still taken");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_answer_carries_the_safety_headers_and_only_named_origins_may_call() {
    let options = Options {
        cors_origins: vec!["https://app.example.org".to_owned()],
        public_url: Some("https://api.example.org".parse().unwrap()),
        ..Options::default()
    };
    let server = Server::with(options).await;
    for path in ["/v1/scans", "/health/live", "/nothing", "/docs"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
        assert!(answer.header("strict-transport-security").starts_with("max-age="));
        assert!(!answer.header("x-request-id").is_empty());
    }
    let from =
        |origin: &str| send(server.request(Method::GET, "/v1/scans").header("origin", origin));
    let allowed = from("https://app.example.org").await;
    assert_eq!(allowed.header("access-control-allow-origin"), "https://app.example.org");
    for other in ["https://app.example.org.evil.org", "http://app.example.org", "null"] {
        assert_eq!(from(other).await.header("access-control-allow-origin"), "", "{other}");
    }
    let preflight = server
        .bare(Method::OPTIONS, "/v1/scans")
        .header("origin", "https://app.example.org")
        .header("access-control-request-method", "POST");
    let preflight = send(preflight).await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-headers").contains("idempotency-key"));
    let problem = server.get("/nothing").await.json();
    assert_eq!(problem["type"], "https://api.example.org/docs/problems#no-such-route");
}
