use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::claim::Claim;
use super::hierarchy::{Controller, Version};

/// The control groups of one run: one folder on version 2, one for each controller on version 1.
#[derive(Debug)]
pub(super) struct Group {
    version: Version,
    folders: Vec<(Controller, Claim)>,
}

/// What a group knows about its run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub out_of_memory: bool,
    pub cpu_time: Option<Duration>,
    pub peak_memory_bytes: Option<u64>,
}

/// Killed processes leave the group when the kernel is done with them, within milliseconds.
const EMPTY_POLL: Duration = Duration::from_millis(5);
const EMPTY_POLLS: usize = 1000;
const DROP_POLLS: usize = 40;

impl Group {
    pub(super) fn new(version: Version, folders: Vec<(Controller, Claim)>) -> Self {
        Self { version, folders }
    }

    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(|(_, claim)| claim.path())
    }

    pub(super) fn counts_pids(&self) -> bool {
        match self.version {
            Version::Two => true,
            Version::One => self.folder(Controller::Pids).is_some(),
        }
    }

    /// Kills everything in the group and waits until it is gone.
    pub(super) async fn end(&self) {
        for _ in 0..EMPTY_POLLS {
            if self.kill() == 0 {
                return;
            }
            tokio::time::sleep(EMPTY_POLL).await;
        }
        tracing::warn!(folders = ?self.folders().collect::<Vec<_>>(), "a killed group did not end");
    }

    pub(super) fn usage(&self) -> Usage {
        match self.version {
            Version::Two => self.usage_two().unwrap_or_default(),
            Version::One => self.usage_one(),
        }
    }

    fn usage_two(&self) -> Option<Usage> {
        let folder = self.folders().next()?;
        Some(Usage {
            out_of_memory: value_of(folder, "memory.events", "oom_kill").unwrap_or(0) > 0,
            cpu_time: value_of(folder, "cpu.stat", "usage_usec").map(Duration::from_micros),
            peak_memory_bytes: number(folder, "memory.peak"),
        })
    }

    fn usage_one(&self) -> Usage {
        let memory = self.folder(Controller::Memory);
        Usage {
            out_of_memory: memory
                .and_then(|folder| value_of(folder, "memory.oom_control", "oom_kill"))
                .unwrap_or(0)
                > 0,
            cpu_time: self
                .folders()
                .find_map(|folder| number(folder, "cpuacct.usage"))
                .map(Duration::from_nanos),
            peak_memory_bytes: memory
                .and_then(|folder| number(folder, "memory.max_usage_in_bytes")),
        }
    }

    fn folder(&self, wanted: Controller) -> Option<&Path> {
        self.folders
            .iter()
            .find_map(|(controller, claim)| (*controller == wanted).then(|| claim.path()))
    }

    fn kill(&self) -> usize {
        self.folders().map(kill_all).max().unwrap_or(0)
    }
}

impl Drop for Group {
    /// Waits only where a run was dropped with its runtime: otherwise the group is empty by now.
    fn drop(&mut self) {
        for folder in self.folders() {
            if let Err(error) = remove(folder) {
                tracing::warn!(folder = %folder.display(), %error, "a control group stays behind");
            }
        }
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    for _ in 0..DROP_POLLS {
        kill_all(folder);
        if fs::remove_dir(folder).is_ok() {
            return Ok(());
        }
        std::thread::sleep(EMPTY_POLL);
    }
    fs::remove_dir(folder)
}

/// Kills what is in the group now; returns how many processes that were.
pub(super) fn kill_all(folder: &Path) -> usize {
    let Ok(listed) = fs::read_to_string(folder.join("cgroup.procs")) else { return 0 };
    let pids: Vec<Pid> =
        listed.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect();
    if !pids.is_empty() && fs::write(folder.join("cgroup.kill"), "1").is_err() {
        for pid in &pids {
            // A process that has just ended by itself is no fault.
            let _ = kill_process(*pid, Signal::KILL);
        }
    }
    pids.len()
}

pub(super) fn write(folder: &Path, file: &str, value: impl ToString) -> io::Result<()> {
    let path: PathBuf = folder.join(file);
    fs::write(&path, value.to_string())
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn number(folder: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

/// The number behind `name` in a file of lines `name number`.
fn value_of(folder: &Path, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}
