//! Runs a program shut in: own namespaces, a read-only system, no network unless asked for, no
//! environment of ours, bounded memory, processes, CPU, time, files and output, ended as a group.
//!
//! The walls are bubblewrap's. The program never keeps root's powers. A worker that is root runs it
//! as nobody: root makes the bind mounts, so a folder below a folder of root can be given to it, and
//! what it then reads is decided by the modes of the files. Mapping root into a user namespace would
//! read more, but leaves the program the owner of every file of root that is in sight.
//!
//! A group dies with the thread that started it. Threads of a tokio runtime live as long as the
//! runtime unless they enter `block_in_place`, so do not call [`Command::spawn`] from there.

mod bubblewrap;
mod cgroup;
mod claim;
mod command;
mod hierarchy;
mod limits;
mod output;
mod probe;
mod running;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;

use bubblewrap::Walls;
use hierarchy::Hierarchy;

pub(crate) use claim::Claim;
pub use command::Command;
pub use limits::Limits;
pub use output::{Line, Lines};
pub use running::{Exit, Output, Process, Reason, Running};

/// What to do where the walls cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Refuse to run anything.
    Required,
    /// Run with resource limits only, and say so: see [`Sandbox::warning`].
    Preferred,
    /// Never build walls.
    Off,
}

/// Why no sandbox can be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox is not available on this machine: {0}")]
pub struct Unavailable(String);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the control group of the sandbox cannot be made")]
    Group(#[source] io::Error),
    #[error("`{program}` cannot be started in the sandbox")]
    Spawn { program: String, source: io::Error },
}

/// A way of running programs that was tried and works. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    walls: Option<Walls>,
    groups: Option<Hierarchy>,
    warning: Option<String>,
}

/// The user and group `nobody` on every Linux distribution we run on.
const NOBODY: u32 = 65534;

impl Sandbox {
    /// Finds the strongest sandbox this machine has, by running a program in it.
    pub async fn detect(mode: Mode) -> Result<Self, Unavailable> {
        let groups = Hierarchy::find();
        let (walls, warning) = match mode {
            Mode::Off => (None, Some(UNSHIELDED.to_owned())),
            Mode::Required => (Some(probe::walls(groups.as_ref()).await?), None),
            Mode::Preferred => match probe::walls(groups.as_ref()).await {
                Ok(walls) => (Some(walls), None),
                Err(reason) => (None, Some(format!("{reason}; {UNSHIELDED}"))),
            },
        };
        Ok(Self::new(walls, groups, warning))
    }

    fn new(walls: Option<Walls>, groups: Option<Hierarchy>, warning: Option<String>) -> Self {
        Self { inner: Arc::new(Inner { walls, groups, warning }) }
    }

    /// A program found on the path of the system, or an absolute path as seen from inside.
    pub fn command(&self, program: impl Into<std::ffi::OsString>) -> Command {
        Command::new(self.clone(), program.into())
    }

    /// What the operator and the reader of a scan must know about this sandbox.
    pub fn warning(&self) -> Option<&str> {
        self.inner.warning.as_deref()
    }

    /// One line for the log at start.
    pub fn describe(&self) -> String {
        let walls = self.inner.walls.as_ref().map_or("no walls", Walls::describe);
        let groups = self.inner.groups.as_ref().map_or("rlimits", Hierarchy::describe);
        format!("{walls}, limits by {groups}")
    }

    /// Makes programs in the sandbox the owner of a folder that the worker made for them.
    pub fn hand_over(&self, folder: &Path) -> io::Result<()> {
        if self.inner.walls.as_ref().is_some_and(Walls::run_as_nobody) {
            std::os::unix::fs::chown(folder, Some(NOBODY), Some(NOBODY))?;
        }
        Ok(())
    }

    /// Ends what crashed workers left behind; returns how many control groups were removed.
    pub fn sweep_leftovers(&self) -> usize {
        self.inner.groups.as_ref().map_or(0, Hierarchy::sweep_leftovers)
    }
}

const UNSHIELDED: &str = "programs run with resource limits only: they can read what the worker \
     can read and reach what it can reach";
