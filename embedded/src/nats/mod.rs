//! The private nats-server with JetStream.

mod config;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::Rng;
use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use self::config::Config;
use crate::child::Child;
use crate::data_dir::private_folder;
use crate::identity::Identity;
use crate::output::Output;
use crate::supervise::{Supervised, supervise};
use crate::{DataDir, Error, binaries, orphan};

const START_PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
const STOP: [(Signal, Duration); 1] = [(Signal::TERM, Duration::from_secs(10))];
pub(crate) const USER: &str = "millrace";

#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// The nats-server to run; searched for on PATH when absent.
    pub binary: Option<PathBuf>,
    pub max_payload_bytes: u32,
    /// What all streams together may take on disk.
    pub max_store_bytes: u64,
    /// Off only for tests, whose data is nobody's secret.
    pub password: bool,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self { binary: None, max_payload_bytes: 1 << 20, max_store_bytes: 20 << 30, password: true }
    }
}

/// A nats-server of this process alone. Dropping it begins its shutdown; [`Nats::stop`] awaits it.
pub struct Nats {
    identity: Identity,
    binary: PathBuf,
    folder: PathBuf,
    config: Config,
    output: Output,
    child: Child,
}

impl Nats {
    /// Starts the server on a free loopback port with a password made for this start, and waits until
    /// it takes connections. A server left behind on the same files is stopped first.
    pub async fn start(data_dir: &DataDir, options: NatsOptions) -> Result<Self, Error> {
        let binary = binaries::nats(options.binary.as_deref())?;
        let identity = data_dir.identity.clone();
        let folder = data_dir.server_folder("nats")?;
        stop_left_over(folder.clone()).await?;
        for name in ["store", "ports"] {
            private_folder(folder.join(name), &identity)?;
        }
        let mut config = Config {
            folder: folder.clone(),
            port: None,
            password: options.password.then(|| format!("{:032x}", rand::rng().random::<u128>())),
            max_payload_bytes: options.max_payload_bytes,
            max_store_bytes: options.max_store_bytes,
        };
        let output = Output::default();
        let (child, port) = launch(&identity, &binary, &config, &output).await?;
        config.port = Some(port);
        Ok(Self { identity, binary, folder, config, output, child })
    }

    /// A connection URL with the credentials in it.
    pub fn url(&self) -> String {
        let Config { password, port, .. } = &self.config;
        let login = password.as_ref().map(|password| format!("{USER}:{password}@"));
        format!("nats://{}127.0.0.1:{}", login.unwrap_or_default(), port.unwrap_or_default())
    }

    /// Where JetStream keeps its streams.
    pub fn store_dir(&self) -> PathBuf {
        self.folder.join("store")
    }

    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// Waits until the server has ended and says how.
    pub async fn exited(&self) -> String {
        self.child.exited().await
    }

    /// Starts the server again on the same port, ending it first if it still runs.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.child.stop(&STOP).await;
        (self.child, _) = launch(&self.identity, &self.binary, &self.config, &self.output).await?;
        Ok(())
    }

    /// Restarts the server whenever it ends; returns once it ended more than `restarts` times in a
    /// row. Dropping the future leaves the server as it is.
    pub async fn supervise(&mut self, restarts: u32) -> Error {
        supervise(self, restarts).await
    }

    /// Asks the server to end, then forces it; returns when it is gone.
    pub async fn stop(self) {
        self.child.stop(&STOP).await;
    }

    /// Ends the server in order but keeps the handle, so that it can be started again.
    pub async fn pause(&self) {
        self.child.stop(&STOP).await;
    }

    /// Ends the server as a crash would.
    pub async fn kill(&self) {
        self.child.stop(&[]).await;
    }
}

impl Supervised for Nats {
    const PROGRAM: &'static str = "nats-server";

    async fn exited(&self) -> String {
        self.child.exited().await
    }

    async fn restart(&mut self) -> Result<(), Error> {
        Nats::restart(self).await
    }

    fn log(&self) -> PathBuf {
        self.config.log()
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("pid", &self.pid()).finish_non_exhaustive()
    }
}

async fn stop_left_over(folder: PathBuf) -> Result<(), Error> {
    let stopping = tokio::task::spawn_blocking(move || orphan::stop_below(&folder));
    stopping.await.unwrap_or_else(|error| {
        Err(Error::Spawn { program: "a thread".to_owned(), source: error.into() })
    })
}

async fn launch(
    identity: &Identity,
    binary: &Path,
    config: &Config,
    output: &Output,
) -> Result<(Child, u16), Error> {
    let file = config.write(identity)?;
    clear(&config.ports())?;
    let mut command = identity.command(binary, "TERM");
    command.arg("-c").arg(file).current_dir(&config.folder);
    output.clear();
    output.capture(&mut command, None)?;
    let child = Child::spawn(command, Signal::TERM).await?;
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        if let Some(port) = listening_port(&config.ports(), child.pid())
            && greets(port).await
        {
            return Ok((child, port));
        }
        let tail = || format!("{}{}", output.tail(), config.log_tail());
        if let Some(status) = child.has_exited() {
            return Err(Error::EndedEarly { program: "nats-server", status, tail: tail() });
        }
        if Instant::now() > deadline {
            let after = START_PATIENCE;
            return Err(Error::NotReady { program: "nats-server", after, tail: tail() });
        }
        sleep(POLL).await;
    }
}

fn clear(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))?.flatten() {
        fs::remove_file(entry.path()).map_err(Error::file("remove", entry.path()))?;
    }
    Ok(())
}

/// The server writes its addresses, as `{"nats": ["nats://127.0.0.1:40001"], ..}`, once it listens.
fn listening_port(ports: &Path, pid: i32) -> Option<u16> {
    let text = fs::read(ports.join(format!("nats-server_{pid}.ports"))).ok()?;
    let addresses: serde_json::Value = serde_json::from_slice(&text).ok()?;
    addresses.get("nats")?.get(0)?.as_str()?.rsplit(':').next()?.parse().ok()
}

async fn greets(port: u16) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut word = [0; 5];
        stream.read_exact(&mut word).await?;
        std::io::Result::Ok(&word == b"INFO ")
    };
    matches!(tokio::time::timeout(Duration::from_secs(1), greeting).await, Ok(Ok(true)))
}
