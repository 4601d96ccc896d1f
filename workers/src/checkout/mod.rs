//! Gets the repository of a scan into reach: a folder the operator allowed is used where it is, an
//! address is cloned into a scratch folder that goes away with the [`Checkout`].
//!
//! Git runs in the sandbox and sees nothing but that folder and the addresses that were judged. The
//! tree has no symlinks: they are written as small files that hold their target.

mod clone;
mod error;
mod folder;
mod log;
mod scratch;
mod size;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::scans::RepositorySource;
use outbound::AddressPolicy;
use tokio_util::sync::CancellationToken;

use crate::sandbox::Sandbox;
pub use error::Error;
pub use folder::FOLDERS_SETTING;
use scratch::Scratch;

/// Takes the lines that tell how the clone goes, cleaned and masked.
pub type Log<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// How much of the past is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// The newest commit of the default branch.
    Latest,
    /// All commits of all branches.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of the clone on disk, objects and files together.
    pub bytes: u64,
    pub files: u64,
    pub time: Duration,
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 2 << 30,
            files: 500_000,
            time: Duration::from_secs(300),
            memory_bytes: 1 << 30,
        }
    }
}

/// Makes checkouts.
#[derive(Debug, Clone)]
pub struct Checkouts {
    pub sandbox: Sandbox,
    /// Where clones are kept while they are scanned. Made when missing.
    pub scratch: PathBuf,
    /// The folders below which a path may be scanned.
    pub folders: Vec<PathBuf>,
    pub addresses: AddressPolicy,
    pub limits: Limits,
}

/// A repository that can be read now.
#[derive(Debug)]
pub struct Checkout {
    path: PathBuf,
    _scratch: Option<Scratch>,
}

impl Checkouts {
    pub async fn open(
        &self,
        source: &RepositorySource,
        history: History,
        cancel: &CancellationToken,
        log: Log<'_>,
    ) -> Result<Checkout, Error> {
        match source {
            RepositorySource::Path(path) => {
                let path = folder::allowed(&self.folders, Path::new(path))?;
                folder::readable(&self.sandbox, &path).await?;
                Ok(Checkout { path, _scratch: None })
            }
            RepositorySource::Url(url) => {
                let scratch = Scratch::make(&self.scratch).map_err(Error::Scratch)?;
                let tree = scratch.tree();
                self.sandbox.hand_over(&tree).map_err(Error::Scratch)?;
                self.clone_into(&scratch, url, history, cancel, log).await?;
                Ok(Checkout { path: tree, _scratch: Some(scratch) })
            }
        }
    }

    /// Removes the scratch folders of crashed workers; returns how many.
    pub fn sweep_leftovers(&self) -> io::Result<usize> {
        scratch::sweep(&self.scratch)
    }
}

impl Checkout {
    /// To be bound read-only into the sandbox of an engine.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
