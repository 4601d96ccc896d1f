//! The servers, the proxies before them, the roles, and the folder they share.

use std::{
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use testkit::{TestNats, TestPostgres};
use tokio::{sync::Mutex, task::JoinHandle};
use url::Url;

use crate::{
    fleet::{Fleet, Launch, ROLES},
    proxy::{Proxy, Upstream},
};

const READY: Duration = Duration::from_secs(60);
/// A command of the operator that takes longer is ended, and its outcome is not known.
const COMMAND: Duration = Duration::from_secs(30);
/// The artifacts of one worker have this much room: less than the output of a few scans.
const TINY_STORE: &str = "size=16k";

pub struct World {
    folder: Option<TempDir>,
    pub postgres: Mutex<TestPostgres>,
    pub nats: Mutex<TestNats>,
    pub nats_url: String,
    pub to_postgres: Proxy,
    pub to_nats: Proxy,
    pub fleet: Arc<Fleet>,
    keeper: JoinHandle<()>,
    /// Addresses of the two front ends.
    pub bases: [String; 2],
    pub organization: String,
    pub key: String,
    /// Past the proxy, for the checker.
    pub pool: PgPool,
    environment: Vec<(String, String)>,
}

impl World {
    pub async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new().prefix("millrace-storm-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        make_trees(&folder.path().join("targets"));
        let (postgres, nats) = (testkit::postgres().await, testkit::nats().await);
        let (upstream, mut database) = upstream_of(postgres.url());
        let to_postgres = Proxy::before(upstream).await;
        database.set_port(Some(to_postgres.address.port())).unwrap();
        let address = nats.url().trim_start_matches("nats://").parse().unwrap();
        let to_nats = Proxy::before(Upstream::Port(address)).await;
        let environment =
            environment(folder.path(), database.as_str(), &format!("nats://{}", to_nats.address));
        let migrated = command(&environment, folder.path(), &["migrate"]).output().unwrap();
        assert!(migrated.status.success(), "{migrated:?}");

        let ports = [free_port(), free_port()];
        let launches =
            (0..ROLES.len()).map(|index| launch(index, &environment, folder.path(), ports));
        let (fleet, keeper) = Fleet::start(folder.path().to_owned(), launches.collect());
        let pool = PgPoolOptions::new().max_connections(4).connect_lazy(postgres.url()).unwrap();
        let mut world = Self {
            folder: Some(folder),
            nats_url: nats.url().to_owned(),
            postgres: Mutex::new(postgres),
            nats: Mutex::new(nats),
            to_postgres,
            to_nats,
            fleet,
            keeper,
            bases: ports.map(|port| format!("http://127.0.0.1:{port}")),
            organization: String::new(),
            key: String::new(),
            pool,
            environment,
        };
        world.wait_until_ready().await;
        world.organization =
            world.ok(&["organizations", "create", "--name", "Storm", "--slug", "storm"]);
        let organization = world.organization.clone();
        world.key = world.ok(&["keys", "issue", "--organization", &organization, "--name", "load"]);
        world
    }

    pub fn path(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub fn targets(&self) -> Vec<PathBuf> {
        (0..TREES)
            .map(|number| self.path().join("targets").join(format!("tree-{number}")))
            .collect()
    }

    /// A command of the operator, to its end.
    pub async fn run(&self, arguments: &[&str]) -> Option<Output> {
        let mut command = command(&self.environment, self.path(), arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        tokio::time::timeout(COMMAND, child.wait_with_output()).await.ok().map(Result::unwrap)
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = command(&self.environment, self.path(), arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Whether both front ends say that everything is well.
    pub async fn unready(&self) -> Vec<String> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let mut reasons = Vec::new();
        for base in &self.bases {
            let answer =
                async { http.get(format!("{base}/health/ready")).send().await?.text().await };
            match answer.await {
                Ok(text) if text.contains(r#""status":"ok""#) => {}
                Ok(text) => reasons.push(text),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        reasons
    }

    async fn wait_until_ready(&self) {
        let deadline = Instant::now() + READY;
        loop {
            let reasons = self.unready().await;
            if reasons.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{reasons:?}: {}", self.fleet.log(0));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Asks every role to end; says which did not do so in good order.
    pub fn end_roles(&self) -> Vec<String> {
        self.keeper.abort();
        self.fleet.end()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.keeper.abort();
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            println!("the logs of the roles are in {}", folder.keep().display());
        }
    }
}

const TREES: usize = 4;

/// Tiny repositories, each with something to find.
fn make_trees(targets: &Path) {
    for number in 0..TREES {
        let tree = targets.join(format!("tree-{number}"));
        std::fs::create_dir_all(&tree).unwrap();
        std::fs::write(tree.join("README"), "a tree\n").unwrap();
        for file in 0..=number {
            let secret = format!("aws_access_key_id = AKIA{}\n", "QWERTYUIOPASDF27");
            std::fs::write(tree.join(format!("settings-{file}.ini")), secret).unwrap();
        }
    }
}

fn environment(folder: &Path, database: &str, nats: &str) -> Vec<(String, String)> {
    let targets = folder.join("targets").display().to_string();
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        set("DATABASE_URL", database),
        set("NATS_URL", nats),
        set("MILLRACE_DATA_DIR", &folder.join("data").display().to_string()),
        set("MILLRACE_SCANS__ALLOWED_PATHS", &json!([targets]).to_string()),
        set("MILLRACE_DATABASE__MAX_CONNECTIONS", "6"),
        set("MILLRACE_SERVER__REQUESTS_PER_MINUTE_PER_KEY", "1000000"),
        set("MILLRACE_SERVER__REQUESTS_PER_MINUTE_PER_ADDRESS", "1000000"),
        set("MILLRACE_JOBS__LEASE_S", "2"),
        set("MILLRACE_JOBS__SWEEP_S", "1"),
        set("MILLRACE_JOBS__DRAIN_TIMEOUT_S", "1"),
        set("MILLRACE_JOBS__PER_ORG_LIMIT", "8"),
        set("MILLRACE_PROJECTIONS__POLL_MS", "200"),
    ]
}

fn command(environment: &[(String, String)], folder: &Path, arguments: &[&str]) -> Command {
    prepared(Command::new(env!("CARGO_BIN_EXE_millrace")), environment, folder, arguments)
}

fn prepared(
    mut command: Command,
    environment: &[(String, String)],
    folder: &Path,
    arguments: &[&str],
) -> Command {
    for inherited in ["MILLRACE_CONFIG", "MILLRACE_STORM_SECONDS", "MILLRACE_STORM_SEED"] {
        command.env_remove(inherited);
    }
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.envs(environment.iter().cloned());
    command
}

/// The second worker keeps artifacts on a disk that is full almost at once. The disk is its own: it
/// is gone with the process.
fn launch(
    index: usize,
    environment: &[(String, String)],
    folder: &Path,
    ports: [u16; 2],
) -> Launch {
    let (role, folder) = (ROLES[index], folder.to_owned());
    let mut environment = environment.to_vec();
    if role == "api" {
        let listen = format!("127.0.0.1:{}", ports[index % 2]);
        environment.push(("MILLRACE_SERVER__LISTEN".to_owned(), listen));
    }
    let tiny = role == "worker" && index % 2 == 1 && full_disk_is_possible();
    Box::new(move || {
        if !tiny {
            return command(&environment, &folder, &["serve", "--roles", role]);
        }
        let store = folder.join("data/objects");
        std::fs::create_dir_all(&store).unwrap();
        let mut command = Command::new("unshare");
        let mount = r#"mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@""#;
        command.args(["--mount", "sh", "-c", mount, "sh", TINY_STORE]).arg(store);
        command.arg(env!("CARGO_BIN_EXE_millrace"));
        prepared(command, &environment, &folder, &["serve", "--roles", role])
    })
}

/// A disk of one's own can be mounted by root alone.
pub fn full_disk_is_possible() -> bool {
    let mut trying = Command::new("unshare");
    trying.args(["--mount", "sh", "-c", "mount -t tmpfs none /mnt"]).stderr(Stdio::null());
    trying.status().is_ok_and(|status| status.success())
}

/// Where the server of a URL listens, and the URL of a proxy before it but for its port.
fn upstream_of(url: &str) -> (Upstream, Url) {
    let mut url = Url::parse(url).unwrap();
    let folder =
        url.query_pairs().find(|(name, _)| name == "host").map(|(_, value)| value.into_owned());
    let upstream = match folder {
        Some(folder) => Upstream::Socket(Path::new(&folder).join(".s.PGSQL.5432")),
        None => Upstream::Port(SocketAddr::from(([127, 0, 0, 1], url.port().unwrap()))),
    };
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_query(Some("sslmode=disable"));
    (upstream, url)
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
