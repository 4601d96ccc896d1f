use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::io;
use std::time::Duration;

use engines::advisories::{Ecosystem, Stored};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::{Advisories, Error, MAX_FILE_BYTES, at, files, is_ours};

/// A scan waits no longer for newer advisories; the download goes on for the next one.
const PATIENCE: Duration = Duration::from_secs(60);
const DOWNLOAD: Duration = Duration::from_secs(1800);
/// How often a process looks whether another one is done with the folder.
const LOOK: Duration = Duration::from_millis(100);
const LOCK: &str = ".lock";

impl Advisories {
    /// Makes the copy what the object store has. When that fails it is as it was, for those
    /// ecosystems that could not be had.
    pub async fn refresh(&self) -> Result<(), Error> {
        let advisories = self.clone();
        let work = async move { timeout(DOWNLOAD, advisories.bring_up_to_date()).await };
        match timeout(PATIENCE, tokio::spawn(work)).await {
            Ok(Ok(Ok(result))) => result,
            Ok(Ok(Err(_))) | Err(_) => Err(Error::Slow),
            Ok(Err(panicked)) => Err(io::Error::other(panicked).into()),
        }
    }

    async fn bring_up_to_date(&self) -> Result<(), Error> {
        tokio::fs::create_dir_all(&self.copy).await?;
        let _turn = self.turn().await?;
        let mut named = HashSet::from([LOCK.to_owned()]);
        for ecosystem in Ecosystem::ALL {
            if let Some(stored) = self.manifest(ecosystem).await? {
                self.take(ecosystem, &stored).await?;
                named.insert(ecosystem.manifest());
                named.extend(files(&stored).map(str::to_owned));
            }
        }
        self.remove_others(&named).await
    }

    /// The right to change the copy, one at a time among all processes of this machine.
    async fn turn(&self) -> Result<File, Error> {
        let lock = File::create(self.copy.join(LOCK))?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK).await,
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }

    async fn take(&self, ecosystem: Ecosystem, stored: &Stored) -> Result<(), Error> {
        for name in files(stored) {
            self.fetch(name).await?;
        }
        // One that is damaged here is replaced like an old one.
        if !matches!(Stored::read(&self.copy, ecosystem), Ok(Some(known)) if known == *stored) {
            let (stored, folder) = (stored.clone(), self.copy.clone());
            let write = move || stored.write(&folder, ecosystem);
            tokio::task::spawn_blocking(write).await.map_err(io::Error::other)??;
        }
        Ok(())
    }

    /// A file never changes, so one that is there is the right one.
    async fn fetch(&self, name: &str) -> Result<(), Error> {
        let path = self.copy.join(name);
        if tokio::fs::try_exists(&path).await? {
            return Ok(());
        }
        let object = self.store.get(&at(name)).await?;
        let temporary = self.copy.join(format!("{name}.new"));
        let mut file = tokio::fs::File::create(&temporary).await?;
        let (mut digest, mut length) = (Sha256::new(), 0);
        let mut pieces = object.into_stream();
        while let Some(piece) = pieces.try_next().await? {
            length += piece.len() as u64;
            if length > MAX_FILE_BYTES {
                return Err(Error::TooLarge(name.to_owned()));
            }
            digest.update(&piece);
            file.write_all(&piece).await?;
        }
        file.sync_all().await?;
        let digest = format!("{:x}", digest.finalize());
        if !name.split('.').any(|part| part == &digest[..16]) {
            let reason = "its content has another digest".to_owned();
            return Err(Error::Damaged { name: name.to_owned(), reason });
        }
        Ok(tokio::fs::rename(&temporary, &path).await?)
    }

    /// Older files, what a process left that ended in the middle, and ecosystems that are gone.
    /// Engines that are reading them go on doing so.
    async fn remove_others(&self, named: &HashSet<String>) -> Result<(), Error> {
        let mut entries = tokio::fs::read_dir(&self.copy).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_ours(&name) && !named.contains(&name) {
                tokio::fs::remove_file(entry.path()).await?;
            }
        }
        Ok(())
    }
}
