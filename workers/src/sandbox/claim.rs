use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A folder held by a lock that the kernel lets go when its process ends, however it ends. So a
/// folder that can be claimed by another process is a leftover.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    _lock: File,
}

impl Claim {
    /// `None` when another process holds the folder or has just removed it.
    pub(crate) fn take(path: PathBuf) -> io::Result<Option<Self>> {
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            Ok(()) if path.exists() => Ok(Some(Self { path, _lock: lock })),
            Ok(()) | Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
