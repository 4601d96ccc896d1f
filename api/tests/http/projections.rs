use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, Server, Tenant, send, soon};

const SCANS: &str = "/v1/projections/scans";

/// Polls the view until one of its builds has the status.
async fn until(server: &Server, operator: &Tenant, status: &str) -> Value {
    soon(async {
        loop {
            let view = server.get_as(operator, SCANS).await.json();
            if statuses(&view).contains(&status) {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

fn statuses(view: &Value) -> Vec<&str> {
    let builds = view["builds"].as_array().unwrap();
    builds.iter().map(|build| build["status"].as_str().unwrap()).collect()
}

async fn pinned(server: &Server, operator: &Tenant, change: &str, etag: &str) -> Answer {
    let request = server.bare(Method::POST, &format!("{SCANS}/{change}"));
    send(request.bearer_auth(&operator.key).header("if-match", etag)).await
}

async fn execute(server: &Server, statement: &str) {
    sqlx::query(statement).execute(server.journal.pool()).await.unwrap();
}

#[tokio::test]
async fn a_view_is_rebuilt_switched_and_rolled_back_while_it_is_read() {
    let server = Server::start().await;
    let operator = server.operator().await;
    let scan = server.queued(&server.owner).await;
    server.fresh("/v1/scans").await.json();
    let stop = CancellationToken::new();
    let reads = async {
        let mut reads = 0;
        while !stop.is_cancelled() {
            let read = server.get(&format!("/v1/scans/{scan}")).await;
            assert_eq!(read.status, 200, "{}", read.text);
            reads += 1;
        }
        reads
    };
    let changes = async {
        let begun = server.post_as(&operator, &format!("{SCANS}/rebuild")).await;
        assert_eq!((begun.status, begun.header("location")), (StatusCode::ACCEPTED, SCANS));
        let twice = server.post_as(&operator, &format!("{SCANS}/rebuild")).await;
        assert_eq!((twice.status.as_u16(), twice.code().as_str()), (409, "conflict"));
        until(&server, &operator, "ready").await;
        let switched = server.post_as(&operator, &format!("{SCANS}/switch")).await;
        assert_eq!(switched.status, 202, "{}", switched.text);
        assert_eq!(switched.header("etag"), "\"2\"");
        assert_eq!(statuses(&switched.json()), ["standby", "live"]);

        let back = pinned(&server, &operator, "rollback", "\"2\"").await;
        assert_eq!((back.status.as_u16(), back.header("etag")), (202, "\"1\""));
        assert_eq!(statuses(&back.json()), ["live", "standby"]);
        // The same request again, as after a lost answer, does not take it back.
        let again = pinned(&server, &operator, "rollback", "\"2\"").await;
        assert_eq!((again.status.as_u16(), again.code().as_str()), (412, "version-mismatch"));

        let dropped = server.post_as(&operator, &format!("{SCANS}/drop")).await;
        assert_eq!(statuses(&dropped.json()), ["live"]);
        let none = server.post_as(&operator, &format!("{SCANS}/rollback")).await;
        assert_eq!((none.status.as_u16(), none.code().as_str()), (409, "conflict"));
        stop.cancel();
    };
    let (reads, ()) = tokio::join!(reads, changes);
    assert!(reads > 0);
}

#[tokio::test]
async fn a_build_shows_how_far_it_is_and_does_not_answer_before_it_has_caught_up() {
    let server = Server::start().await;
    let operator = server.operator().await;
    server.queued(&server.owner).await;
    server.fresh("/v1/scans").await.json();
    let head = server.journal.head().await.unwrap();
    // The next build stays where it begins.
    execute(
        &server,
        "ALTER TABLE projections ALTER hold_at SET DEFAULT 0, ALTER hold_until SET DEFAULT 'infinity'",
    )
    .await;
    server.post_as(&operator, &format!("{SCANS}/rebuild")).await.json();
    let list = server.get_as(&operator, "/v1/projections").await;
    assert_eq!(list.position(), head);
    let views = list.json()["projections"].as_array().unwrap().clone();
    let names: Vec<_> = views.iter().map(|view| view["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["organizations", "scans", "jobs", "users", "sessions", "address_blocks", "audit"]
    );
    let build = &views[1]["builds"][1];
    assert_eq!((&build["status"], &build["generation"]), (&json!("building"), &json!(2)));
    assert_eq!((&build["position"], &build["lag"]), (&json!(0), &json!(head)));
    let behind = server.post_as(&operator, &format!("{SCANS}/switch")).await;
    assert_eq!((behind.status.as_u16(), behind.code().as_str()), (409, "conflict"));
    let detail = format!("position 0 of {head}");
    assert!(behind.json()["detail"].as_str().unwrap().contains(&detail), "{}", behind.text);

    execute(&server, "UPDATE projections SET hold_at = NULL, hold_until = NULL").await;
    let ready = until(&server, &operator, "ready").await;
    assert_eq!(
        (&ready["builds"][1]["lag"], &ready["builds"][1]["seconds_left"]),
        (&json!(0), &json!(0))
    );
    let given_up = server.post_as(&operator, &format!("{SCANS}/cancel")).await;
    assert_eq!(statuses(&given_up.json()), ["live"]);
}

#[tokio::test]
async fn a_build_that_differs_answers_only_when_that_is_accepted() {
    let server = Server::start().await;
    let operator = server.operator().await;
    server.queued(&server.owner).await;
    server.fresh("/v1/scans").await.json();
    server.post_as(&operator, &format!("{SCANS}/rebuild")).await.json();
    until(&server, &operator, "ready").await;
    execute(&server, "DELETE FROM scans_v1_r2.scans").await;
    let refused = server.post_as(&operator, &format!("{SCANS}/switch")).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "builds-differ"));
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("scans: 1 rows live, 0 rebuilt"), "{detail}");
    assert_eq!(server.get_as(&operator, SCANS).await.header("etag"), "\"1\"");
    let path = format!("{SCANS}/switch?accept_differences=true");
    assert_eq!(server.post_as(&operator, &path).await.header("etag"), "\"2\"");
    assert_eq!(server.get("/v1/scans").await.json()["scans"], json!([]));
}

#[tokio::test]
async fn views_are_the_platforms_and_unknown_ones_are_not_found() {
    let server = Server::start().await;
    let operator = server.operator().await;
    for change in ["rebuild", "switch", "rollback", "cancel", "drop"] {
        let refused = server.post_as(&server.owner, &format!("{SCANS}/{change}")).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "platform-only"));
        let path = format!("/v1/projections/toasters/{change}");
        let unknown = server.post_as(&operator, &path).await;
        assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (404, "not-found"));
    }
    assert_eq!(server.get("/v1/projections").await.code(), "platform-only");
    assert_eq!(server.get_as(&operator, "/v1/projections/toasters").await.code(), "not-found");
    let bad = pinned(&server, &operator, "switch", "2").await;
    assert_eq!(bad.code(), "invalid-parameter");
    // A key of the platform sees no more of what is an organisation's.
    let scan = server.queued(&server.owner).await;
    assert_eq!(server.get_as(&operator, &format!("/v1/scans/{scan}")).await.status, 404);
}
