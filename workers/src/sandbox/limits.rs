use std::ffi::OsString;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};

/// Bounds of one run. All of them hold at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of the whole group, temporary files included; per process where there are no control groups.
    pub memory_bytes: u64,
    /// Processes and threads, the two or three of the sandbox itself included.
    pub pids: u32,
    /// Of one core, so 200 is two cores. Not held where there are no control groups.
    pub cpu_percent: u32,
    /// By the clock on the wall.
    pub time: Duration,
    /// Of stdout and stderr together. A program that writes more is ended.
    pub output_bytes: u64,
    /// Largest file that may be written.
    pub file_bytes: u64,
    /// Size of `/tmp`.
    pub tmp_bytes: u64,
    pub open_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 512 << 20,
            pids: 64,
            cpu_percent: 100,
            time: Duration::from_secs(60),
            output_bytes: 64 << 20,
            file_bytes: 1 << 30,
            tmp_bytes: 64 << 20,
            open_files: 256,
        }
    }
}

/// Which limits the control group does not hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Uncovered {
    pub memory: bool,
    pub pids: bool,
}

impl Limits {
    /// The words in front of a program that set its rlimits.
    pub(super) fn prlimit(&self, uncovered: Uncovered) -> Vec<OsString> {
        let mut words = vec![
            "prlimit".into(),
            "--core=0".into(),
            word("fsize", self.file_bytes, Resource::Fsize),
            word("nofile", self.open_files, Resource::Nofile),
        ];
        if uncovered.memory {
            words.push(word("as", self.memory_bytes, Resource::As));
        }
        if uncovered.pids {
            words.push(word("nproc", self.pids.into(), Resource::Nproc));
        }
        words.push("--".into());
        words
    }
}

/// A hard limit can only be lowered, so a limit that is already smaller stays.
fn word(name: &str, wanted: u64, resource: Resource) -> OsString {
    let present = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    format!("--{name}={}", wanted.min(present)).into()
}
