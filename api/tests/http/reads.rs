use std::{collections::BTreeSet, time::Instant};

use domain::scans::{EngineOutcome, Severity};
use reqwest::Method;

use crate::support::{Server, finding, send};

#[tokio::test]
async fn a_read_waits_for_the_position_asked_for_or_says_that_it_is_stale() {
    let server = Server::start().await;
    let id = server.queued(&server.owner).await;
    let head = server.journal.head().await.unwrap();
    let path = format!("/v1/scans/{id}");
    let seen = send(server.request(Method::GET, &path).header("millrace-min-position", head)).await;
    assert_eq!(seen.status, 200);
    assert!(seen.position() >= head);

    let asked_at = Instant::now();
    let stale = server
        .request(Method::GET, &path)
        .header("millrace-min-position", head + 1000)
        .header("prefer", "wait=1");
    let stale = send(stale).await;
    assert!((1..5).contains(&asked_at.elapsed().as_secs()));
    assert_eq!(stale.status, 503);
    assert_eq!(stale.code(), "stale-read");
    assert_eq!(stale.json()["position"], head);
    assert_eq!(stale.header("retry-after"), "1");
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let server = Server::start().await;
    let (id, _) = server.running(&server.owner).await;
    let path = format!("/v1/scans/{id}");
    let first = server.fresh(&path).await;
    let tag = first.header("etag");
    assert_eq!(tag, "\"3\"");
    let again = send(server.request(Method::GET, &path).header("if-none-match", tag)).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    let other = send(server.request(Method::GET, &path).header("if-none-match", "\"2\"")).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_scan_is_read_as_it_stood_then() {
    let server = Server::start().await;
    let id = server.queued(&server.owner).await;
    let asked_at = server.journal.head().await.unwrap();
    let recorded = server.journal.at(asked_at).await.unwrap().unwrap().recorded_at;
    send(server.request(Method::DELETE, &format!("/v1/scans/{id}"))).await.json();

    let as_of = |point: String| async move { point };
    let path = format!("/v1/scans/{id}");
    assert_eq!(server.fresh(&path).await.json()["state"], "cancelled");
    let then = server.get(&format!("{path}?as_of={}", as_of(asked_at.to_string()).await)).await;
    assert_eq!(then.json()["state"], "queued");
    let time = recorded.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    assert_eq!(server.get(&format!("{path}?as_of={time}")).await.json()["state"], "queued");
    let before = server.get(&format!("{path}?as_of={}", asked_at - 1)).await;
    assert_eq!(before.status, 404);
}

#[tokio::test]
async fn pages_show_every_scan_and_every_finding_once() {
    let server = Server::start().await;
    let mut asked = BTreeSet::new();
    for _ in 0..7 {
        asked.insert(server.queued(&server.owner).await.to_string());
    }
    let head = server.journal.head().await.unwrap();
    server.fresh("/v1/scans").await.json();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/v1/scans?limit=3{cursor}")).await;
        assert!(page.position() >= head);
        let page = page.json();
        let ids = page["scans"].as_array().unwrap().iter();
        seen.extend(ids.map(|scan| scan["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), asked);

    let findings = (0..5).map(|n| finding(n, [Severity::Low, Severity::High][n as usize % 2]));
    let (owner, done) = (&server.owner, EngineOutcome::Completed);
    let id = server.completed(owner, findings.collect(), done, vec![]).await;
    let path = format!("/v1/scans/{id}/findings");
    let first = server.fresh(&format!("{path}?limit=2")).await.json();
    assert_eq!(first["findings"][0]["severity"], "high");
    let next = first["next_cursor"].as_str().unwrap();
    let rest = server.get(&format!("{path}?cursor={next}")).await.json();
    assert_eq!(rest["findings"].as_array().unwrap().len(), 3);
    let high = server.get(&format!("{path}?severity=high&status=open&engine=secrets")).await.json();
    assert_eq!(high["findings"].as_array().unwrap().len(), 2);
    let none = server.get(&format!("{path}?engine=website")).await.json();
    assert_eq!(none["findings"].as_array().unwrap().len(), 0);
    let of_another_list = server.get(&format!("/v1/scans?cursor={next}")).await;
    assert_eq!(of_another_list.code(), "invalid-parameter");
}

#[tokio::test]
async fn health_says_which_dependency_is_not_well() {
    let server = Server::start().await;
    let live = send(server.bare(Method::GET, "/health/live")).await;
    assert_eq!((live.status.as_u16(), live.json()["status"].as_str()), (200, Some("ok")));
    let ready = send(server.bare(Method::GET, "/health/ready")).await;
    assert_eq!(ready.status, 200, "{}", ready.text);
    let names: Vec<_> = ready.json()["dependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["postgres", "nats", "projections"]);
    assert_eq!(ready.json()["status"], "ok", "{}", ready.text);
    assert_eq!(send(server.bare(Method::GET, "/metrics")).await.status, 200);
}

#[tokio::test]
async fn requests_are_measured_by_the_pattern_of_their_route() {
    let server = Server::start().await;
    let id = server.queued(&server.owner).await;
    assert_eq!(server.fresh(&format!("/v1/scans/{id}")).await.status, 200);
    assert_eq!(server.get("/v1/scans/other").await.status, 404);
    assert_eq!(server.get("/guessed/path/1").await.status, 404);
    assert_eq!(server.get("/docs").await.status, 200);
    let metrics = send(server.bare(Method::GET, "/metrics")).await.text;
    for series in [
        r#"method="GET",route="/v1/scans/{id}",status="200""#,
        r#"method="GET",route="/v1/scans/{id}",status="404""#,
        r#"method="GET",route="unknown",status="404""#,
    ] {
        assert!(metrics.contains(series), "{series} is not in {metrics}");
    }
    assert!(!metrics.contains("guessed") && !metrics.contains(&id.to_string()));
}
