//! What is left of the servers when the process that started them dies.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use embedded::{DataDir, Nats, NatsOptions, Postgres, PostgresOptions};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

const DATA_DIR: &str = "EMBEDDED_TEST_DATA_DIR";
const PATIENCE: Duration = Duration::from_secs(20);

fn folder(mode: u32) -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("mr-").permissions(fs::Permissions::from_mode(mode)).tempdir().unwrap()
}

/// Runs only as the child of the tests below.
#[tokio::test]
#[ignore = "a part of other tests"]
async fn a_process_with_servers() {
    let Some(path) = std::env::var_os(DATA_DIR) else { return };
    let data_dir = DataDir::open(Path::new(&path)).unwrap();
    let postgres = Postgres::start(&data_dir, PostgresOptions::default()).await.unwrap();
    let nats = Nats::start(&data_dir, NatsOptions::default()).await.unwrap();
    println!("\nservers {} {}", postgres.pid(), nats.pid());
    std::future::pending::<()>().await;
}

/// A process with both servers, and their numbers.
fn parent(path: &Path) -> (Child, Vec<i32>) {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["a_process_with_servers", "--exact", "--ignored", "--nocapture"])
        .env(DATA_DIR, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines().map_while(Result::ok);
    let found = lines.filter_map(|line| line.strip_prefix("servers ").map(str::to_owned)).next();
    let pids = found.unwrap().split(' ').map(|pid| pid.parse().unwrap()).collect();
    (parent, pids)
}

/// Dead, or a zombie that waits for whoever adopts orphans here.
fn gone(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).map_or(true, |line| line.is_empty())
}

#[tokio::test]
async fn killing_the_parent_stops_the_servers_and_leaves_the_data_usable() {
    let folder = folder(0o711);
    let path = folder.path().join("data");
    let (mut process, pids) = parent(&path);
    assert!(pids.iter().all(|pid| !gone(*pid)));
    process.kill().unwrap();
    process.wait().unwrap();
    let start = Instant::now();
    while !pids.iter().all(|pid| gone(*pid)) {
        assert!(start.elapsed() < PATIENCE, "left running: {pids:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let data_dir = DataDir::open(&path).unwrap();
    let log = fs::read_to_string(data_dir.path().join("servers/nats/nats.log")).unwrap();
    assert!(log.contains("Server Exiting"), "nats-server did not end in order: {log}");
    let postgres = Postgres::start(&data_dir, PostgresOptions::default()).await.unwrap();
    PgConnection::connect(&postgres.url()).await.unwrap();
    postgres.stop().await;
}

/// A start that follows the kill at once meets servers that still shut down, or a lost death signal.
#[tokio::test]
async fn a_server_left_running_is_stopped_before_the_next_start() {
    let folder = folder(0o711);
    let path = folder.path().join("data");
    let postgres = {
        let data_dir = DataDir::open(&path).unwrap();
        let postgres = Postgres::start(&data_dir, PostgresOptions::default()).await.unwrap();
        let pid = postgres.pid();
        std::mem::forget(postgres); // its keeper goes on, nobody else knows of it
        pid
    };
    let data_dir = DataDir::open(&path).unwrap();
    let next = Postgres::start(&data_dir, PostgresOptions::default()).await.unwrap();
    assert!(gone(postgres));
    PgConnection::connect(&next.url()).await.unwrap();
    next.stop().await;
}

#[tokio::test]
async fn root_keeps_the_servers_of_a_private_folder_where_their_user_can_get() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = folder(0o700);
    let path = folder.path().join("data");
    let data_dir = DataDir::open(&path).unwrap();
    let elsewhere = Elsewhere(fs::read_link(data_dir.path().join("servers")).unwrap());
    assert!(elsewhere.0.starts_with("/var/lib/millrace"));
    let postgres = Postgres::start(&data_dir, PostgresOptions::default()).await.unwrap();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    sqlx::query("CREATE TABLE mine (x int)").execute(&mut connection).await.unwrap();
    postgres.stop().await;

    drop(data_dir);
    let data_dir = DataDir::open(&path).unwrap();
    let postgres = Postgres::start(&data_dir, PostgresOptions::default()).await.unwrap();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    sqlx::query("SELECT * FROM mine").execute(&mut connection).await.unwrap();
    postgres.stop().await;

    drop(data_dir);
    fs::remove_dir_all(&path).unwrap();
    let data_dir = DataDir::open(&path).unwrap();
    let postgres = Postgres::start(&data_dir, PostgresOptions::default()).await.unwrap();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    let table = sqlx::query("SELECT * FROM mine").execute(&mut connection).await;
    assert!(table.is_err(), "a removed data directory came back");
    postgres.stop().await;
}

struct Elsewhere(PathBuf);

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        let _ = fs::remove_dir_all(self.0.with_extension("old"));
    }
}
