use std::time::Duration;

use serde_json::json;

use crate::support::{Millrace, SlowSite, eventually};

#[tokio::test]
async fn a_terminated_installation_leaves_nothing_running() {
    let mut millrace = Millrace::new();
    millrace.up();
    let site = SlowSite::serve(Duration::from_secs(5)).await;
    let id = millrace.scan(json!({ "kind": "website", "url": site.url })).await;
    millrace.wait_for(&id, &["running"]).await;
    assert_eq!(millrace.end("TERM"), Some(0));
    assert_eq!(millrace.processes(), Vec::<String>::new());

    // The scan was given back, and goes on at once.
    drop(site);
    millrace.up();
    let scan = millrace.wait_for(&id, &["completed", "failed"]).await;
    assert_eq!(scan["attempt"], 2, "{scan}");
}

#[tokio::test]
async fn a_killed_installation_leaves_nothing_running() {
    let mut millrace = Millrace::new();
    millrace.up();
    assert!(!millrace.processes().is_empty());
    assert_eq!(millrace.end("KILL"), None);
    eventually("the end of the servers", || millrace.processes().is_empty()).await;
}

#[tokio::test]
async fn live_streams_end_when_the_installation_does() {
    let mut millrace = Millrace::new();
    millrace.up();
    let mut stream = millrace.get("/v1/events/stream").await;
    assert!(stream.chunk().await.unwrap().is_some());
    assert_eq!(millrace.end("TERM"), Some(0));
    while let Ok(Some(_)) = stream.chunk().await {}
}
