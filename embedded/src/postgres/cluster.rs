use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::Rng;
use rustix::process::{Pid, Signal, test_kill_process};
use tokio::time::timeout;

use super::PostgresOptions;
use crate::child::Child;
use crate::identity::Identity;
use crate::output::Output;
use crate::{Error, binaries, data_dir};

pub const USER: &str = "millrace";
const INIT_PATIENCE: Duration = Duration::from_secs(180);

/// The files of one database cluster, and the programs of the major version that made it.
pub struct Cluster {
    pub binaries: PathBuf,
    pub data: PathBuf,
    pub password: String,
    folder: PathBuf,
}

impl Cluster {
    pub async fn open(
        folder: &Path,
        identity: &Identity,
        options: &PostgresOptions,
    ) -> Result<Self, Error> {
        let data = folder.join("data");
        let made_by = fs::read_to_string(data.join("PG_VERSION")).ok();
        let major =
            made_by.and_then(|text| text.trim().parse().ok()).map(|major| (major, data.as_path()));
        let binaries = binaries::postgres(options.binaries.as_deref(), major)?;
        let secret = folder.join("password");
        if !data.exists() {
            let password = format!("{:032x}", rand::rng().random::<u128>());
            data_dir::private_file(&secret, &password, identity)?;
            init(&binaries, folder, &secret, identity, options.durable).await?;
        }
        let password = fs::read_to_string(&secret).map_err(Error::file("read", &secret))?;
        Ok(Self { binaries, data, password, folder: folder.to_owned() })
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }
}

/// Makes the cluster beside its place and moves it there when whole, so that an interrupted start
/// leaves nothing that looks like a cluster.
async fn init(
    binaries: &Path,
    folder: &Path,
    secret: &Path,
    identity: &Identity,
    durable: bool,
) -> Result<(), Error> {
    let new = folder.join("data.new");
    if new.exists() {
        fs::remove_dir_all(&new).map_err(Error::file("remove", &new))?;
    }
    let mut command = identity.command(&binaries.join("initdb"), "KILL");
    command.arg("-D").arg(&new).arg("--pwfile").arg(secret).current_dir(folder);
    command.args(["--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-U", USER]);
    command.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
    let output = Output::default();
    output.capture(&mut command, None)?;
    let child = Child::spawn(command, Signal::KILL).await?;
    let Ok(status) = timeout(INIT_PATIENCE, child.exited()).await else {
        let tail = output.tail();
        return Err(Error::NotReady { program: "initdb", after: INIT_PATIENCE, tail });
    };
    if !new.join("PG_VERSION").exists() || !child.succeeded() {
        return Err(Error::EndedEarly { program: "initdb", status, tail: output.tail() });
    }
    if durable {
        sync(&new)?;
    }
    fs::rename(&new, folder.join("data")).map_err(Error::file("rename", &new))
}

/// One sync of the file system instead of initdb's one for each of its thousand files.
fn sync(path: &Path) -> Result<(), Error> {
    let folder = File::open(path).map_err(Error::file("open", path))?;
    rustix::fs::syncfs(&folder).map_err(|errno| Error::file("sync", path)(errno.into()))
}

/// Postgres takes the number in `postmaster.pid` for a running server whenever any process of the
/// same user has it, as after a restart of a container. Called when no server runs on the folder:
/// a process that has the number is a stranger. A number nobody has is left for Postgres to judge,
/// which then also looks for sessions of the dead server.
pub fn forget_stranger(folder: &Path) -> Result<(), Error> {
    let file = folder.join("data/postmaster.pid");
    let Ok(text) = fs::read_to_string(&file) else { return Ok(()) };
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
    if pid.is_some_and(|pid| test_kill_process(pid).is_ok()) {
        fs::remove_file(&file).map_err(Error::file("remove", &file))?;
    }
    Ok(())
}
