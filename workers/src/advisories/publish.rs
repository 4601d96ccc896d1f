use std::collections::HashSet;
use std::path::Path;

use chrono::TimeDelta;
use domain::Timestamp;
use engines::advisories::{Ecosystem, Stored};
use futures::TryStreamExt;
use object_store::buffered::BufWriter;
use object_store::{ObjectStoreExt, path};
use tokio::io::AsyncWriteExt;

use super::{Advisories, Error, FOLDER, MAX_FILE_BYTES, at, files, is_ours};

/// Parts of this size go up one by one; smaller files in one piece.
pub(super) const PART_BYTES: usize = 8 << 20;
/// Of one file at the same time.
const PARTS_AT_ONCE: usize = 2;
/// Nobody takes longer from the first file of an import to its manifests.
const IMPORT_TIME: TimeDelta = TimeDelta::days(1);

impl Advisories {
    /// Puts what a store on disk has into the object store, for all workers.
    pub async fn publish(&self, folder: &Path, now: Timestamp) -> Result<(), Error> {
        let mut named = self.named().await?;
        for ecosystem in Ecosystem::ALL {
            let Some(stored) = Stored::read(folder, ecosystem)? else { continue };
            for name in files(&stored) {
                self.upload(&folder.join(name), name).await?;
            }
            let manifest = stored.to_bytes().map_err(std::io::Error::other)?;
            self.store.put(&at(&ecosystem.manifest()), manifest.into()).await?;
            named.extend(files(&stored).map(str::to_owned));
        }
        // What is left costs room and nothing else, and the next import tries again.
        if let Err(error) = self.remove_unnamed(&named, now).await {
            tracing::warn!(error = %crate::chain(&error), "old advisories are left in the object store");
        }
        Ok(())
    }

    /// The files that the manifests name. One that cannot be understood names nothing of use.
    async fn named(&self) -> Result<HashSet<String>, Error> {
        let mut named = HashSet::new();
        for ecosystem in Ecosystem::ALL {
            match self.manifest(ecosystem).await {
                Ok(Some(stored)) => named.extend(files(&stored).map(str::to_owned)),
                Ok(None) | Err(Error::Damaged { .. } | Error::TooLarge(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(named)
    }

    async fn upload(&self, path: &Path, name: &str) -> Result<(), Error> {
        let mut file = tokio::fs::File::open(path).await?;
        if file.metadata().await?.len() > MAX_FILE_BYTES {
            return Err(Error::TooLarge(name.to_owned()));
        }
        let mut object = BufWriter::with_capacity(self.store.clone(), at(name), PART_BYTES)
            .with_max_concurrency(PARTS_AT_ONCE);
        if let Err(error) = tokio::io::copy(&mut file, &mut object).await {
            // The first failure is the one to tell.
            let _ = object.abort().await;
            return Err(error.into());
        }
        Ok(object.shutdown().await?)
    }

    /// Removes what no manifest names and no import that still runs has just written.
    async fn remove_unnamed(&self, named: &HashSet<String>, now: Timestamp) -> Result<(), Error> {
        let folder = path::Path::from(FOLDER);
        let objects: Vec<_> = self.store.list(Some(&folder)).try_collect().await?;
        for object in objects {
            let name = object.location.filename().unwrap_or_default();
            let manifest = Ecosystem::ALL.iter().any(|ecosystem| ecosystem.manifest() == name);
            let kept = manifest || named.contains(name) || !is_ours(name);
            if !kept && object.last_modified < now - IMPORT_TIME {
                self.store.delete(&object.location).await?;
            }
        }
        Ok(())
    }
}
