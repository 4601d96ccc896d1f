//! The private servers as an operator meets them: started, connected to, crashed, stopped.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use embedded::{DataDir, Error, Nats, NatsOptions, Postgres, PostgresOptions};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// A folder the servers' user can pass through, also when the tests run as root.
fn folder() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("mr-").permissions(fs::Permissions::from_mode(0o711)).tempdir().unwrap()
}

fn small() -> PostgresOptions {
    PostgresOptions { shared_buffers_mb: 32, max_connections: 20, ..PostgresOptions::default() }
}

async fn one(url: &str, query: &str) -> String {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

fn nats_connection(url: &str) -> async_nats::ConnectOptions {
    let (_, login) = url.split_once("//").unwrap();
    let (login, _) = login.split_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
}

fn process_group(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(2).unwrap().parse().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn postgres_is_durable_on_a_private_socket_and_gone_after_stop() {
    let folder = folder();
    let data_dir = DataDir::open(&folder.path().join("data")).unwrap();
    let postgres = Postgres::start(&data_dir, small()).await.unwrap();
    let url = postgres.url();
    assert!(url.contains("?host=%2F"), "{url}");
    for (setting, wanted) in [("fsync", "on"), ("synchronous_commit", "on"), ("timezone", "UTC")] {
        assert_eq!(one(&url, &format!("SELECT current_setting('{setting}')")).await, wanted);
    }
    assert_eq!(one(&url, "SELECT current_setting('listen_addresses')").await, "");
    let servers = data_dir.path().join("servers/postgres");
    assert_eq!((mode(&servers), mode(&servers.join("socket"))), (0o700, 0o700));
    assert_eq!(mode(&servers.join("password")), 0o600);
    let pid = postgres.pid();
    assert_eq!(process_group(pid), pid, "Ctrl-C must not reach it");
    postgres.stop().await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_port_that_demands_the_password() {
    let folder = folder();
    let long = folder.path().join("x".repeat(80));
    let data_dir = DataDir::open(&long).unwrap();
    let postgres = Postgres::start(&data_dir, small()).await.unwrap();
    let url = postgres.url();
    assert!(url.contains("@127.0.0.1:"), "no port");
    assert_eq!(one(&url, "SELECT 'in'").await, "in");
    let (before, after) = url.split_once('@').unwrap();
    let wrong = format!("{}x@{after}", &before[..before.len() - 1]);
    assert!(PgConnection::connect(&wrong).await.is_err());
    postgres.stop().await;
}

#[tokio::test]
async fn a_crashed_postgres_starts_again_with_what_was_committed() {
    let folder = folder();
    let data_dir = DataDir::open(&folder.path().join("data")).unwrap();
    let postgres = Postgres::start(&data_dir, small()).await.unwrap();
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    sqlx::query("CREATE TABLE t AS SELECT 'kept' AS x").execute(&mut connection).await.unwrap();
    postgres.kill().await;
    drop(postgres);
    let postgres = Postgres::start(&data_dir, small()).await.unwrap();
    assert_eq!(one(&postgres.url(), "SELECT x FROM t").await, "kept");
    postgres.stop().await;
}

#[tokio::test]
async fn a_number_of_a_dead_postgres_that_a_stranger_has_now_is_no_hindrance() {
    let folder = folder();
    let data_dir = DataDir::open(&folder.path().join("data")).unwrap();
    Postgres::start(&data_dir, small()).await.unwrap().stop().await;
    let nats = Nats::start(&data_dir, NatsOptions::default()).await.unwrap();
    let file = data_dir.path().join("servers/postgres/data/postmaster.pid");
    fs::write(&file, format!("{}\n{}\n", nats.pid(), data_dir.path().display())).unwrap();
    let postgres = Postgres::start(&data_dir, small()).await.unwrap();
    assert_eq!(one(&postgres.url(), "SELECT 'in'").await, "in");
    postgres.stop().await;
    nats.stop().await;
}

#[tokio::test]
async fn an_interrupted_initdb_leaves_nothing_that_looks_like_a_cluster() {
    let folder = folder();
    let data_dir = DataDir::open(&folder.path().join("data")).unwrap();
    Postgres::start(&data_dir, small()).await.unwrap().stop().await;
    let servers = data_dir.path().join("servers/postgres");
    fs::remove_file(servers.join("data/global/pg_control")).unwrap();
    fs::rename(servers.join("data"), servers.join("data.new")).unwrap();
    let postgres = Postgres::start(&data_dir, small()).await.unwrap();
    assert_eq!(one(&postgres.url(), "SELECT 'in'").await, "in");
    postgres.stop().await;
}

#[tokio::test]
async fn a_cluster_of_a_major_version_that_is_not_installed_is_refused_by_name() {
    let folder = folder();
    let data_dir = DataDir::open(&folder.path().join("data")).unwrap();
    Postgres::start(&data_dir, small()).await.unwrap().stop().await;
    fs::write(data_dir.path().join("servers/postgres/data/PG_VERSION"), "99\n").unwrap();
    let error = Postgres::start(&data_dir, small()).await.unwrap_err();
    assert!(error.to_string().contains("made by Postgres 99, which is not installed"), "{error}");
}

#[tokio::test]
async fn a_data_directory_serves_one_process_at_a_time() {
    let folder = folder();
    let path = folder.path().join("data");
    let first = DataDir::open(&path).unwrap();
    assert!(matches!(DataDir::open(&path), Err(Error::InUse(_))));
    drop(first);
    DataDir::open(&path).unwrap();
}

#[tokio::test]
async fn nats_demands_the_password_and_shows_it_to_nobody() {
    let folder = folder();
    let data_dir = DataDir::open(&folder.path().join("data")).unwrap();
    let nats = Nats::start(&data_dir, NatsOptions::default()).await.unwrap();
    let url = nats.url();
    let client = nats_connection(&url).connect(&url).await.unwrap();
    assert!(client.server_info().max_payload == 1 << 20 && client.server_info().jetstream);
    let anonymous = async_nats::ConnectOptions::new().max_reconnects(1);
    assert!(anonymous.connect(&url).await.is_err());
    let password = url.split([':', '@']).nth(2).unwrap();
    assert!(!format!("{nats:?}").contains(password));
    assert_eq!(mode(&data_dir.path().join("servers/nats/nats.conf")), 0o600);
    assert_eq!(process_group(nats.pid()), nats.pid());
    nats.stop().await;
}

#[tokio::test]
async fn supervision_brings_a_server_back_at_its_address_until_it_ends_too_often() {
    let folder = folder();
    let data_dir = DataDir::open(&folder.path().join("data")).unwrap();
    let mut nats = Nats::start(&data_dir, NatsOptions::default()).await.unwrap();
    let (url, first) = (nats.url(), nats.pid());
    kill(first);
    nats.exited().await;
    {
        let connected = async {
            while nats_connection(&url).connect(&url).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            error = nats.supervise(3) => panic!("{error}"),
            () = connected => {}
        }
    }
    assert_ne!(nats.pid(), first);
    fs::remove_dir_all(data_dir.path().join("servers/nats/ports")).unwrap();
    kill(nats.pid());
    let error = nats.supervise(2).await.to_string();
    assert!(error.contains("ended") && error.contains("more than 2 times in a row"), "{error}");
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
