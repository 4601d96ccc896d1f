//! The private Postgres.

mod address;
mod cluster;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use self::address::Address;
use self::cluster::Cluster;
use crate::child::Child;
use crate::identity::Identity;
use crate::output::Output;
use crate::supervise::{Supervised, supervise};
use crate::{DataDir, Error, orphan};

const START_PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// SIGINT ends the sessions and writes a checkpoint; SIGQUIT leaves the recovery to the next start.
const STOP: [(Signal, Duration); 2] =
    [(Signal::INT, Duration::from_secs(20)), (Signal::QUIT, Duration::from_secs(5))];

#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The folder with `postgres` and `initdb`; searched for when absent.
    pub binaries: Option<PathBuf>,
    pub shared_buffers_mb: u32,
    pub max_connections: u16,
    /// Off only where the whole database is thrown away with the process, as in tests.
    pub durable: bool,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { binaries: None, shared_buffers_mb: 128, max_connections: 100, durable: true }
    }
}

/// A Postgres of this process alone. Dropping it begins a fast shutdown; [`Postgres::stop`] awaits it.
pub struct Postgres {
    identity: Identity,
    cluster: Cluster,
    address: Address,
    options: PostgresOptions,
    output: Output,
    child: Child,
}

impl Postgres {
    /// Makes the database cluster where there is none, starts it and waits until it takes connections.
    /// A server left behind on the same files is stopped first.
    pub async fn start(data_dir: &DataDir, options: PostgresOptions) -> Result<Self, Error> {
        let folder = data_dir.server_folder("postgres")?;
        stop_left_over(folder.clone()).await?;
        let identity = data_dir.identity.clone();
        let cluster = Cluster::open(&folder, &identity, &options).await?;
        let address = Address::choose(&folder, &identity)?;
        let output = Output::default();
        let child = launch(&identity, &cluster, &address, &options, &output).await?;
        Ok(Self { identity, cluster, address, options, output, child })
    }

    /// A connection URL of the superuser, with its password where it listens on a port.
    pub fn url(&self) -> String {
        self.address.url(&self.cluster.password)
    }

    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// Waits until the server has ended and says how.
    pub async fn exited(&self) -> String {
        self.child.exited().await
    }

    /// Starts the server again at the same address, ending it first if it still runs.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.child.stop(&STOP).await;
        self.child =
            launch(&self.identity, &self.cluster, &self.address, &self.options, &self.output)
                .await?;
        Ok(())
    }

    /// Restarts the server whenever it ends; returns once it ended more than `restarts` times in a
    /// row. Dropping the future leaves the server as it is.
    pub async fn supervise(&mut self, restarts: u32) -> Error {
        supervise(self, restarts).await
    }

    /// Fast shutdown, then immediate, then by force; returns when the server is gone.
    pub async fn stop(self) {
        self.child.stop(&STOP).await;
    }

    /// Immediate shutdown: sessions are thrown out, and the next start recovers.
    pub async fn stop_immediately(&self) {
        self.child.stop(&STOP[1..]).await;
    }

    /// Ends the server as a crash would.
    pub async fn kill(&self) {
        self.child.stop(&[]).await;
    }
}

impl Supervised for Postgres {
    const PROGRAM: &'static str = "postgres";

    async fn exited(&self) -> String {
        self.child.exited().await
    }

    async fn restart(&mut self) -> Result<(), Error> {
        Postgres::restart(self).await
    }

    fn log(&self) -> PathBuf {
        self.cluster.log()
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("pid", &self.pid()).finish_non_exhaustive()
    }
}

async fn stop_left_over(folder: PathBuf) -> Result<(), Error> {
    let stopping = tokio::task::spawn_blocking(move || {
        orphan::stop_below(&folder)?;
        cluster::forget_stranger(&folder)
    });
    stopping.await.unwrap_or_else(|error| {
        Err(Error::Spawn { program: "a thread".to_owned(), source: error.into() })
    })
}

async fn launch(
    identity: &Identity,
    cluster: &Cluster,
    address: &Address,
    options: &PostgresOptions,
    output: &Output,
) -> Result<Child, Error> {
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        let error = match launch_once(identity, cluster, address, options, output, deadline).await {
            Ok(child) => return Ok(child),
            Err(error) => error,
        };
        // Sessions of a crashed server end by themselves a moment after it.
        let ending = output.tail().contains("is still in use");
        if !ending || Instant::now() > deadline {
            return Err(error);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

async fn launch_once(
    identity: &Identity,
    cluster: &Cluster,
    address: &Address,
    options: &PostgresOptions,
    output: &Output,
    deadline: Instant,
) -> Result<Child, Error> {
    let mut command = identity.command(&cluster.binaries.join("postgres"), "INT");
    command.arg("-D").arg(&cluster.data).current_dir(&cluster.data);
    for setting in settings(address, options) {
        command.arg("-c").arg(setting);
    }
    output.clear();
    output.capture(&mut command, Some(&cluster.log()))?;
    let child = Child::spawn(command, Signal::INT).await?;
    while !address.answers().await {
        if let Some(status) = child.has_exited() {
            return Err(Error::EndedEarly { program: "postgres", status, tail: output.tail() });
        }
        if Instant::now() > deadline {
            let tail = output.tail();
            return Err(Error::NotReady { program: "postgres", after: START_PATIENCE, tail });
        }
        sleep(POLL).await;
    }
    Ok(child)
}

fn settings(address: &Address, options: &PostgresOptions) -> Vec<String> {
    let durable = if options.durable { "on" } else { "off" };
    let mut settings = address.settings();
    settings.extend([
        format!("fsync={durable}"),
        format!("full_page_writes={durable}"),
        format!("synchronous_commit={durable}"),
        format!("shared_buffers={}MB", options.shared_buffers_mb),
        format!("max_connections={}", options.max_connections),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
    ]);
    settings
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
