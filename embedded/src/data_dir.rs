use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::identity::Identity;
use crate::{Error, orphan};

/// Where the servers of root live when the service user cannot pass through to the data directory.
const ROOT_SERVERS: &str = "/var/lib/millrace";

/// A data directory, held by this process alone until it is dropped.
///
/// The servers keep their files in `servers/` below it. When root uses a data directory inside a
/// private folder (a clone under root's home), the unprivileged servers cannot get there: `servers`
/// is then a link to a folder below `/var/lib/millrace` that belongs to this data directory.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    servers: PathBuf,
    pub(crate) identity: Identity,
    _lock: File,
}

impl DataDir {
    /// Makes the directory where needed and takes its lock, which the system gives back when the
    /// process ends in any way.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let identity = Identity::current()?;
        if !path.exists() {
            let mode = if matches!(identity, Identity::Own) { 0o700 } else { 0o711 };
            fs::create_dir_all(path).map_err(Error::file("create", path))?;
            fs::set_permissions(path, Permissions::from_mode(mode))
                .map_err(Error::file("set the mode of", path))?;
        }
        let path = path.canonicalize().map_err(Error::file("open", path))?;
        let lock = lock(&path)?;
        let servers = servers_folder(&path, &identity)?;
        Ok(Self { path, servers, identity, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder for one server, private to the user the servers run as.
    pub(crate) fn server_folder(&self, name: &str) -> Result<PathBuf, Error> {
        private_folder(self.servers.join(name), &self.identity)
    }
}

fn lock(path: &Path) -> Result<File, Error> {
    let name = path.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&name)
        .map_err(Error::file("open", &name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(Error::File { action: "lock", path: name, source }),
    }
}

fn servers_folder(data_dir: &Path, identity: &Identity) -> Result<PathBuf, Error> {
    let here = data_dir.join("servers");
    if let Ok(target) = fs::read_link(&here) {
        return private_folder(target, identity);
    }
    if here.exists() || identity.can_pass(data_dir)? {
        return private_folder(here, identity);
    }
    let there = elsewhere(data_dir, identity)?;
    symlink(&there, &here).map_err(Error::file("create the link", &here))?;
    tracing::info!(
        user = identity.name(),
        folder = %there.display(),
        "the servers' user cannot pass through to the data directory; their files are kept in this folder"
    );
    Ok(there)
}

/// A fresh folder below [`ROOT_SERVERS`], named after the data directory. If one is there already,
/// the data directory it belonged to was removed and made again: the old one is kept, once, as `.old`.
fn elsewhere(data_dir: &Path, identity: &Identity) -> Result<PathBuf, Error> {
    fs::create_dir_all(ROOT_SERVERS).map_err(Error::file("create", ROOT_SERVERS))?;
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let folder = Path::new(ROOT_SERVERS).join(&name);
    if folder.exists() {
        orphan::stop_below(&folder)?;
        let old = Path::new(ROOT_SERVERS).join(format!("{name}.old"));
        if old.exists() {
            fs::remove_dir_all(&old).map_err(Error::file("remove", &old))?;
        }
        fs::rename(&folder, &old).map_err(Error::file("rename", &folder))?;
    }
    private_folder(folder, identity)
}

pub(crate) fn private_folder(path: PathBuf, identity: &Identity) -> Result<PathBuf, Error> {
    if !path.exists() {
        DirBuilder::new().mode(0o700).create(&path).map_err(Error::file("create", &path))?;
        identity.own(&path)?;
    }
    let found = fs::symlink_metadata(&path).map_err(Error::file("look at", &path))?;
    if !found.is_dir() || found.uid() != identity.uid() || found.mode() & 0o077 != 0 {
        return Err(Error::NotPrivate { path, user: identity.name().to_owned() });
    }
    Ok(path)
}

/// Writes a file only the user the servers run as can read.
pub(crate) fn private_file(path: &Path, text: &str, identity: &Identity) -> Result<(), Error> {
    use std::io::Write;
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::file("create", path))?;
    file.write_all(text.as_bytes()).map_err(Error::file("write", path))?;
    identity.own(path)
}
