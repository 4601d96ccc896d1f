use std::path::{Path, PathBuf};

use super::Error;
use crate::sandbox::{Reason, Sandbox};

/// The setting that lists the folders below which a path may be scanned.
pub const FOLDERS_SETTING: &str = "scans.allowed_paths";

/// The real place of the path, when that is below an allowed folder. What is elsewhere is refused
/// in the same words whether it exists or not.
pub(super) fn allowed(folders: &[PathBuf], path: &Path) -> Result<PathBuf, Error> {
    let refusal = || Error::NotAllowed { path: path.to_owned() };
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(_) if folders.iter().any(|folder| path.starts_with(folder)) => {
            return Err(Error::Missing { path: path.to_owned() });
        }
        Err(_) => return Err(refusal()),
    };
    let mut allowed = folders.iter().filter_map(|folder| folder.canonicalize().ok());
    if !allowed.any(|folder| real.starts_with(folder)) {
        return Err(refusal());
    }
    if real.is_dir() { Ok(real) } else { Err(Error::Missing { path: path.to_owned() }) }
}

/// Asks a program in the sandbox, because whose rights it has there is the sandbox's affair.
pub(super) async fn readable(sandbox: &Sandbox, path: &Path) -> Result<(), Error> {
    let mut command = sandbox.command("test");
    let seen = command.bind_ro(path, "/target");
    command.arg("-r").arg(&seen).arg("-a").arg("-x").arg(&seen);
    match command.spawn()?.output().await.exit.reason {
        Reason::Exited(0) => Ok(()),
        _ => Err(Error::Unreadable { path: path.to_owned() }),
    }
}
