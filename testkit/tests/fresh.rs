//! What the other crates' tests count on.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const ROLE: &str = "TESTKIT_TEST_ROLE";

#[tokio::test]
async fn each_test_has_an_empty_database_of_its_own() {
    let (one, two) = (testkit::database().await, testkit::database().await);
    assert_ne!(one.url(), two.url());
    sqlx::query("CREATE TABLE here (x int)").execute(&one.pool()).await.unwrap();
    let elsewhere = sqlx::query("SELECT * FROM here").execute(&two.pool()).await;
    assert!(elsewhere.is_err());
}

#[tokio::test]
async fn jetstream_keeps_its_messages_over_a_kill() {
    let mut nats = testkit::nats().await;
    let url = nats.url().to_owned();
    let stream = |jetstream: async_nats::jetstream::Context| async move {
        let config = async_nats::jetstream::stream::Config {
            name: "S".to_owned(),
            subjects: vec!["s.>".to_owned()],
            ..Default::default()
        };
        jetstream.get_or_create_stream(config).await.unwrap()
    };
    let jetstream = async_nats::jetstream::new(async_nats::connect(&url).await.unwrap());
    stream(jetstream.clone()).await;
    jetstream.publish("s.1", "x".into()).await.unwrap().await.unwrap();
    nats.kill().await;
    nats.restart().await;
    assert_eq!(nats.url(), url);
    let jetstream = async_nats::jetstream::new(async_nats::connect(&url).await.unwrap());
    assert_eq!(stream(jetstream).await.get_info().await.unwrap().state.messages, 1);
    assert!(nats.store_dir().is_dir());
}

#[tokio::test]
async fn a_committed_row_outlives_a_kill_of_postgres() {
    use sqlx::Connection;
    let mut postgres = testkit::postgres().await;
    let mut connection = sqlx::PgConnection::connect(postgres.url()).await.unwrap();
    sqlx::query("CREATE TABLE t AS SELECT 7 AS x").execute(&mut connection).await.unwrap();
    postgres.kill().await;
    postgres.restart().await;
    let mut connection = sqlx::PgConnection::connect(postgres.url()).await.unwrap();
    let x: i32 = sqlx::query_scalar("SELECT x FROM t").fetch_one(&mut connection).await.unwrap();
    assert_eq!(x, 7);
}

/// Runs only as the child of the test below.
#[tokio::test]
#[ignore = "a part of another test"]
async fn a_process_with_servers() {
    if std::env::var_os(ROLE).is_some() {
        let (database, nats) = (testkit::database().await, testkit::nats().await);
        println!("\nstore={}", nats.store_dir().display());
        std::mem::forget((database, nats));
    }
}

#[test]
fn nothing_is_left_when_the_test_process_ends() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["a_process_with_servers", "--exact", "--ignored", "--nocapture"])
        .env(ROLE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let store = text.lines().find_map(|line| line.strip_prefix("store=")).unwrap();
    let folder = PathBuf::from(store);
    let folder = folder.ancestors().nth(4).unwrap();
    assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("millrace-test-"));
    let start = Instant::now();
    while folder.exists() || mentioned(folder) {
        assert!(start.elapsed() < Duration::from_secs(20), "still there: {}", folder.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether some process has the folder in its command line.
fn mentioned(folder: &std::path::Path) -> bool {
    let folder = folder.to_str().unwrap();
    let lines = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("cmdline"));
    lines
        .filter_map(|path| fs::read(path).ok())
        .any(|line| String::from_utf8_lossy(&line).contains(folder))
}
