//! The servers, the proxies before them, the roles, and the folder they share.

use std::{
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{PgPool, postgres::PgPoolOptions};
use tempfile::TempDir;
use testkit::{TestNats, TestPostgres};
use tokio::{sync::Mutex, task::JoinHandle};
use url::Url;

use crate::{
    clock::Clocks,
    fleet::{Fleet, ROLES},
    launch::{Program, launch},
    proxy::{Proxy, Upstream},
};

const READY: Duration = Duration::from_secs(60);
/// A command of the operator that takes longer is ended, and its outcome is not known.
const COMMAND: Duration = Duration::from_secs(30);

/// Of the organisation of the load.
pub const SLUG: &str = "storm";

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
    pub clocks: Clocks,
    program: Program,
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
        let program =
            Program::new(folder.path(), database.as_str(), &format!("nats://{}", to_nats.address));
        let migrated = program.command(&["migrate"]).output().unwrap();
        assert!(migrated.status.success(), "{migrated:?}");

        let ports = [free_port(), free_port()];
        let clocks = Clocks::make(folder.path().join("clocks"));
        let launches = (0..ROLES.len()).map(|index| launch(index, &program, &clocks, ports));
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
            clocks,
            program,
        };
        world.wait_until_ready().await;
        world.organization =
            world.ok(&["organizations", "create", "--name", "Storm", "--slug", SLUG]);
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
        let mut command = self.program.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn().unwrap();
        tokio::time::timeout(COMMAND, child.wait_with_output()).await.ok().map(Result::unwrap)
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.program.command(arguments).output().unwrap();
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
