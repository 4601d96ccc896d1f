use reqwest::Method;
use serde_json::json;

use crate::support::{Server, send, website, with_json};

#[tokio::test]
async fn a_scan_is_asked_for_read_and_cancelled() {
    let server = Server::start().await;
    let asked = server.post("/v1/scans", &website()).await;
    assert_eq!(asked.status, 202);
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(asked.header("location"), format!("/v1/scans/{id}"));
    assert_eq!(asked.header("etag"), "\"1\"");
    assert_eq!(asked.json()["position"], asked.position());

    let path = format!("/v1/scans/{id}");
    let request = server.request(Method::GET, &path);
    let read = send(request.header("millrace-min-position", asked.position())).await;
    assert_eq!(read.status, 200, "{}", read.text);
    assert_eq!(read.json()["state"], "queued");
    assert_eq!(read.json()["queue_place"], 1);
    assert_eq!(read.header("etag"), "\"1\"");

    let cancelled = send(server.request(Method::DELETE, &path)).await;
    assert_eq!(cancelled.status, 202);
    assert_eq!(server.fresh(&path).await.json()["state"], "cancelled");
    let again = send(server.request(Method::POST, &format!("{path}/cancel"))).await;
    assert_eq!(again.status, 202, "cancelling twice is cancelling once");
}

#[tokio::test]
async fn the_request_is_known_in_the_events_it_led_to() {
    let server = Server::start().await;
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = server
        .request(Method::POST, "/v1/scans")
        .header("traceparent", traceparent)
        .header("x-request-id", "my-request.1");
    let asked = send(with_json(request, &website())).await;
    assert_eq!(asked.header("x-request-id"), "my-request.1");
    let event = server.journal.at(asked.position()).await.unwrap().unwrap();
    assert_eq!(event.metadata["request_id"], "my-request.1");
    assert_eq!(event.metadata["traceparent"], traceparent);
    assert_eq!(event.actor, format!("api_key:{}", server.owner.key_id));
}

#[tokio::test]
async fn a_repeated_command_gets_its_first_answer() {
    let server = Server::start().await;
    let ask = |body: String| {
        let request = server.request(Method::POST, "/v1/scans");
        let request = request.header("idempotency-key", "once");
        send(request.header("content-type", "application/json").body(body))
    };
    let first = ask(website().to_string()).await;
    let again = ask(r#"{ "target": {"url":"https://example.org/", "kind":"website" } }"#.into());
    let again = again.await;
    assert_eq!((first.status, again.status), (202.try_into().unwrap(), first.status));
    assert_eq!(again.text, first.text);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.header("idempotency-replayed"), "");
    assert_eq!(server.fresh("/v1/scans").await.json()["scans"].as_array().unwrap().len(), 1);

    let other = ask(json!({"target": {"kind": "website", "url": "https://b.org"}}).to_string());
    let other = other.await;
    assert_eq!(other.status, 422);
    assert_eq!(other.code(), "idempotency-key-reused");

    let path = format!("/v1/scans/{}", first.json()["id"].as_str().unwrap());
    let delete = || send(server.request(Method::DELETE, &path).header("idempotency-key", "del"));
    assert_eq!(delete().await.status, 202);
    let again = delete().await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (202, "true"));
}

#[tokio::test]
async fn a_pinned_version_must_be_the_present_one() {
    let server = Server::start().await;
    let (id, _) = server.running(&server.owner).await;
    let cancel = |tag: &str| {
        let path = format!("/v1/scans/{id}/cancel");
        send(server.request(Method::POST, &path).header("if-match", tag))
    };
    let refused = cancel("\"1\"").await;
    assert_eq!(refused.status, 412);
    assert_eq!(refused.code(), "version-mismatch");
    let taken = cancel("\"3\"").await;
    assert_eq!((taken.status.as_u16(), taken.header("etag")), (202, "\"4\""));
}

#[tokio::test]
async fn a_scan_that_has_ended_cannot_be_cancelled() {
    use domain::scans::EngineOutcome;
    let server = Server::start().await;
    let id = server.completed(&server.owner, vec![], EngineOutcome::Completed, vec![]).await;
    let answer = send(server.request(Method::DELETE, &format!("/v1/scans/{id}"))).await;
    assert_eq!(answer.status, 409);
    assert_eq!(answer.code(), "conflict");
}

#[tokio::test]
async fn older_paths_answer_and_say_what_replaced_them() {
    let server = Server::start().await;
    let asked = server.post("/api/scan", &website()).await;
    assert_eq!(asked.status, 202);
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    for (path, successor) in [
        (format!("/api/scan/{id}"), format!("/v1/scans/{id}")),
        (format!("/api/scan/{id}/results"), format!("/v1/scans/{id}/findings")),
        ("/api/scans?skip=0&limit=10".to_owned(), "/v1/scans".to_owned()),
    ] {
        let answer = server.fresh(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(answer.header("deprecation").starts_with('@'));
        assert_eq!(answer.header("link"), format!("<{successor}>; rel=\"successor-version\""));
    }
    let listed = server.fresh("/api/scans?skip=0&limit=10").await;
    assert_eq!(listed.json()["scans"][0]["id"], id);
    let skipped = server.fresh("/api/scans?skip=1").await;
    assert_eq!(skipped.json()["scans"], json!([]));
    let gone = send(server.request(Method::DELETE, &format!("/api/scan/{id}"))).await;
    assert_eq!(gone.status, 202);
}
