use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::sandbox::Claim;

const PREFIX: &str = "checkout-";
const TREE: &str = "tree";

/// A folder for one clone, held by a lock while it is in use and removed when dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: Option<(TempDir, Claim)>,
    path: PathBuf,
}

impl Scratch {
    pub(super) fn make(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        // The sandbox refers to it from other folders.
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent.canonicalize()?)?;
        let claim = Claim::take(folder.path().to_owned())?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::WouldBlock, "the new folder was swept away")
        })?;
        let path = folder.path().to_owned();
        fs::create_dir(path.join(TREE))?;
        Ok(Self { folder: Some((folder, claim)), path })
    }

    /// Where the clone goes.
    pub(super) fn tree(&self) -> PathBuf {
        self.path.join(TREE)
    }

    /// A small file beside the clone, for the sandbox.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    /// A large tree takes a while to remove, which must not hold up the runtime.
    fn drop(&mut self) {
        let folder = self.folder.take();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || drop(folder));
        }
    }
}

/// Removes what no living worker holds. What cannot be removed stays, with a warning.
pub(super) fn sweep(parent: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(parent) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut swept = 0;
    for entry in entries {
        let entry = entry?;
        match sweep_entry(&entry) {
            Ok(removed) => swept += usize::from(removed),
            Err(error) => {
                let path = entry.path();
                tracing::warn!(%error, path = %path.display(), "a leftover could not be removed");
            }
        }
    }
    Ok(swept)
}

fn sweep_entry(entry: &fs::DirEntry) -> io::Result<bool> {
    let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
    if !ours || !entry.file_type()?.is_dir() {
        return Ok(false);
    }
    let Some(leftover) = Claim::take(entry.path())? else { return Ok(false) };
    fs::remove_dir_all(leftover.path())?;
    Ok(true)
}
