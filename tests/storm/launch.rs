//! How the program is started: in each role, and for the operator.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    clock::Clocks,
    fleet::{self, Launch, ROLES},
};

/// The artifacts of one worker have this much room: less than the output of a few scans.
const TINY_STORE: &str = "size=16k";
/// Variables of the storm's own, or of whoever runs it.
const INHERITED: [&str; 4] =
    ["MILLRACE_CONFIG", "MILLRACE_STORM_BINARY", "MILLRACE_STORM_SECONDS", "MILLRACE_STORM_SEED"];
/// The second worker.
pub const CRAMPED: usize = ROLES.len() - 1;

/// The program that is put through the storm, and its settings.
#[derive(Clone)]
pub struct Program {
    folder: PathBuf,
    environment: Vec<(String, String)>,
}

impl Program {
    pub fn new(folder: &Path, database: &str, nats: &str) -> Self {
        let targets = folder.join("targets").display().to_string();
        let data = folder.join("data").display().to_string();
        let environment = [
            ("DATABASE_URL", database),
            ("NATS_URL", nats),
            ("MILLRACE_DATA_DIR", &data),
            ("MILLRACE_SCANS__ALLOWED_PATHS", &json!([targets]).to_string()),
            ("MILLRACE_DATABASE__MAX_CONNECTIONS", "6"),
            ("MILLRACE_LIMITS__KEY", "1000000/60s"),
            ("MILLRACE_LIMITS__ADDRESS", "1000000/60s"),
            ("MILLRACE_JOBS__LEASE_S", "2"),
            ("MILLRACE_JOBS__SWEEP_S", "1"),
            ("MILLRACE_JOBS__DRAIN_TIMEOUT_S", "1"),
            ("MILLRACE_JOBS__PER_ORG_LIMIT", "8"),
            ("MILLRACE_PROJECTIONS__POLL_MS", "200"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { folder: folder.to_owned(), environment: environment.into() }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        self.prepared(Command::new(binary()), arguments)
    }

    fn prepared(&self, mut command: Command, arguments: &[&str]) -> Command {
        for inherited in INHERITED {
            command.env_remove(inherited);
        }
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command.envs(self.environment.iter().cloned());
        command
    }

    /// On a disk that is full almost at once. It is its own: it is gone with the process.
    fn cramped(&self, arguments: &[&str]) -> Command {
        let store = self.folder.join("data/objects");
        std::fs::create_dir_all(&store).unwrap();
        let mut command = Command::new("unshare");
        let mount = r#"mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@""#;
        command.args(["--mount", "sh", "-c", mount, "sh", TINY_STORE]).arg(store);
        command.arg(binary());
        self.prepared(command, arguments)
    }
}

/// `MILLRACE_STORM_BINARY` names another one than this build's.
fn binary() -> OsString {
    let own = || env!("CARGO_BIN_EXE_millrace").into();
    std::env::var_os("MILLRACE_STORM_BINARY").unwrap_or_else(own)
}

pub fn launch(index: usize, program: &Program, clocks: &Clocks, ports: [u16; 2]) -> Launch {
    let (role, mut program, clocks) = (ROLES[index], program.clone(), clocks.clone());
    if role == "api" {
        let listen = format!("127.0.0.1:{}", ports[index % 2]);
        program.environment.push(("MILLRACE_SERVER__LISTEN".to_owned(), listen));
    }
    let cramped = index == CRAMPED && full_disk_is_possible();
    Box::new(move || {
        let arguments = ["serve", "--roles", role];
        let mut command =
            if cramped { program.cramped(&arguments) } else { program.command(&arguments) };
        clocks.give(&fleet::name(index), &mut command);
        command
    })
}

/// A disk of one's own can be mounted by root alone.
pub fn full_disk_is_possible() -> bool {
    let mut trying = Command::new("unshare");
    trying.args(["--mount", "sh", "-c", "mount -t tmpfs none /mnt"]).stderr(Stdio::null());
    trying.status().is_ok_and(|status| status.success())
}
