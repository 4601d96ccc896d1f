use crate::support::Millrace;

#[tokio::test]
async fn the_first_key_is_shown_once_and_goes_on_working() {
    let mut millrace = Millrace::new();
    millrace.up();
    let key = millrace.key.clone();
    assert!(key.starts_with("mr_"));
    assert_eq!(millrace.end("TERM"), Some(0));

    millrace.key.clear();
    millrace.up();
    assert!(millrace.key.is_empty(), "the key was shown again");
    millrace.key = key.clone();
    assert_eq!(millrace.get("/v1/scans").await.status(), 200);
    let log = millrace.log();
    assert!(!log.contains(&key), "the log shows the key");
}

#[tokio::test]
async fn it_answers_health_metrics_and_its_document_without_a_key() {
    let mut millrace = Millrace::new();
    millrace.up();
    millrace.key = "none".into();
    for path in ["/health/live", "/health/ready", "/openapi.json", "/openapi.yaml", "/docs"] {
        assert_eq!(millrace.get(path).await.status(), 200, "{path}");
    }
    let metrics = millrace.get("/metrics").await.text().await.unwrap();
    for name in [
        "http_request_duration_seconds_bucket",
        "relay_lag_positions",
        "projection_lag_positions",
        "projection_lag_seconds",
        "dead_letters",
        "dispatcher_backlog",
        "append_queue_depth",
    ] {
        assert!(metrics.contains(name), "{name} is missing in {metrics}");
    }
    assert_eq!(millrace.get("/v1/scans").await.status(), 401);
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let mut millrace = Millrace::new();
    millrace.up();
    let output = millrace.run(&["up"]);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("in use"), "{error}");
}

#[test]
fn every_fault_of_the_configuration_is_named_at_once() {
    let mut millrace = Millrace::new();
    millrace.set("MILLRACE_SERVER__LISTEN", "nowhere");
    millrace.set("MILLRACE_SERVER__COLOUR", "red");
    millrace.set("MILLRACE_JOBS__LEASE_S", "0");
    let output = millrace.run(&["up"]);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).to_lowercase();
    for name in ["server__listen", "server__colour", "jobs.lease_s"] {
        assert!(error.contains(name), "{name} is not named: {error}");
    }
}

#[test]
fn secrets_are_masked_in_the_effective_configuration() {
    let mut millrace = Millrace::new();
    millrace.set("DATABASE_URL", "postgres://me:pass-of-test@127.0.0.1/x");
    let shown = millrace.ok(&["config"]);
    assert!(shown.contains("[server]"), "{shown}");
    assert!(!shown.contains("pass-of-test"), "{shown}");
}
