//! The server, what it uses, and what it wrote down.

use std::{
    collections::BTreeMap,
    fmt,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{PgPool, Row};
use tempfile::TempDir;
use testkit::{TestDatabase, TestNats};
use tokio::task::JoinHandle;

use crate::target::Target;

pub const CONNECTIONS: u64 = 512;
pub const REQUESTS: usize = 16;
pub const STREAMS: usize = 64;
const WATCH: Duration = Duration::from_millis(50);

pub struct World {
    pub target: Target,
    server: Child,
    pool: PgPool,
    most: Arc<[AtomicU64; 2]>,
    watch: JoinHandle<()>,
    _servers: (TestDatabase, TestNats, TempDir),
}

/// What the process of the server takes.
pub struct Usage {
    /// Bytes that are resident.
    pub memory: u64,
    pub files: u64,
}

impl World {
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("millrace-overload-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let (postgres, nats) = (testkit::database().await, testkit::nats().await);
        let pool = postgres.pool();
        let command = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
            command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
            for inherited in ["MILLRACE_CONFIG", "MILLRACE_OVERLOAD_SECONDS"] {
                command.env_remove(inherited);
            }
            command.env("MILLRACE_DATA_DIR", folder.path());
            command.env("MILLRACE_LIMITS__KEY", "100000000/60s");
            command.env("DATABASE_URL", postgres.url()).env("NATS_URL", nats.url());
            for (name, value) in [
                ("LISTEN", "127.0.0.1:0".to_owned()),
                ("MAX_CONNECTIONS", CONNECTIONS.to_string()),
                ("MAX_REQUESTS", REQUESTS.to_string()),
                ("MAX_STREAMS", STREAMS.to_string()),
                ("STREAMS_PER_KEY", "100000".to_owned()),
                ("WRITE_TIMEOUT_S", "2".to_owned()),
            ] {
                command.env(format!("MILLRACE_SERVER__{name}"), value);
            }
            command
        };
        let ok = |arguments: &[&str]| {
            let output = command(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        ok(&["migrate"]);
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut server = command(&["serve", "--roles", "api,projector"]);
        let mut server = server.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
        let word =
            |line: String| Some(line.strip_prefix("API ")?.split_whitespace().last()?.to_owned());
        let mut addresses = said.by_ref().map_while(Result::ok).filter_map(word);
        let address = addresses
            .find_map(|word| word.strip_prefix("http://")?.strip_suffix("/v1")?.parse().ok());
        let organization = ok(&["organizations", "create", "--name", "Load", "--slug", "load"]);
        let key = ok(&["keys", "issue", "--organization", &organization, "--name", "load"]);
        let most = Arc::<[AtomicU64; 2]>::default();
        let watch = tokio::spawn(watch(server.id(), Arc::clone(&most)));
        let target = Target::new(address.expect("the server says where it listens"), key);
        Self { target, server, pool, most, watch, _servers: (postgres, nats, folder) }
    }

    pub fn usage(&self) -> Usage {
        usage(self.server.id())
    }

    /// The most of each that was seen at any moment.
    pub fn peak(&self) -> Usage {
        let [memory, files] = [0, 1].map(|n| self.most[n].load(Ordering::Relaxed));
        Usage { memory, files }
    }

    /// Whoever was told that a command was taken finds it there, and nobody else has one there.
    pub async fn assert_once_in_the_log(&self, mut accepted: Vec<String>) {
        let query = "SELECT aggregate_id, count(*) FROM events \
                     WHERE event_type = 'scan.requested' GROUP BY aggregate_id";
        let rows = sqlx::query(query).fetch_all(&self.pool).await.unwrap();
        let counts: BTreeMap<String, i64> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert!(counts.values().all(|count| *count == 1));
        accepted.sort_unstable();
        let polite = counts.len() - accepted.len();
        println!(
            "{} accepted commands in the log once, and {polite} of the polite",
            accepted.len()
        );
        let lost: Vec<_> = accepted.iter().filter(|id| !counts.contains_key(*id)).collect();
        assert!(lost.is_empty(), "accepted and not in the log: {lost:?}");
        let before = accepted.len();
        accepted.dedup();
        assert_eq!(accepted.len(), before, "one scan was the answer to two commands");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.watch.abort();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

async fn watch(process: u32, most: Arc<[AtomicU64; 2]>) {
    loop {
        let now = usage(process);
        most[0].fetch_max(now.memory, Ordering::Relaxed);
        most[1].fetch_max(now.files, Ordering::Relaxed);
        tokio::time::sleep(WATCH).await;
    }
}

fn usage(process: u32) -> Usage {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
    Usage { memory: kilobytes.unwrap_or(0) << 10, files: files as u64 }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB and {} files", self.memory >> 20, self.files)
    }
}
