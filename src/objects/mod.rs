//! What is too large for the log: a folder, or a bucket in a cloud.

#[cfg(feature = "cloud-objects")]
mod cloud;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use engines::advisories::ImportReport;
use journal::{Clock, LogArchive, SystemClock};
use object_store::{ObjectStore, ObjectStoreExt, local::LocalFileSystem};
use workers::advisories::Advisories;

use crate::config::Config;

#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// When it is a folder of this machine.
    folder: Option<PathBuf>,
    /// Where this machine keeps what its engines read.
    copy: PathBuf,
}

impl Objects {
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        // The sandbox refers to it from other folders.
        let copy = std::path::absolute(config.data_dir.join("advisories"))?;
        let folder = match &config.objects.url {
            None => config.data_dir.join("objects"),
            Some(url) => match url.to_file_path() {
                Ok(folder) => folder,
                Err(()) => {
                    let store = bucket(&config.objects, url)
                        .with_context(|| format!("{url} cannot be used as object store"))?;
                    return Ok(Self { store, folder: None, copy });
                }
            },
        };
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("{} could not be made", folder.display()))?;
        let folder = folder.canonicalize()?;
        let store = Arc::new(LocalFileSystem::new_with_prefix(&folder)?);
        Ok(Self { store, folder: Some(folder), copy })
    }

    pub fn log_archive(&self) -> LogArchive {
        LogArchive::new(self.store.clone())
    }

    pub fn advisories(&self) -> Advisories {
        Advisories::new(self.store.clone(), self.copy.clone())
    }

    /// Imports OSV files from a folder or a zip archive, for all workers.
    pub async fn import_advisories(&self, source: &Path) -> anyhow::Result<ImportReport> {
        let (source, now) = (source.to_owned(), SystemClock.now());
        let built = tempfile::tempdir()?;
        let folder = built.path().to_owned();
        let work = move || engines::advisories::import(&source, &folder, now);
        let report = tokio::task::spawn_blocking(work).await??;
        self.advisories().publish(built.path(), now).await?;
        Ok(report)
    }

    /// Whether it can be read; the reason holds no secrets.
    pub async fn check(&self) -> Result<(), String> {
        let sound = match &self.folder {
            Some(folder) => {
                tokio::fs::read_dir(folder).await.map(drop).map_err(anyhow::Error::from)
            }
            // Whether the object is there does not matter, but that the bucket can say so does.
            None => match self.store.head(&object_store::path::Path::from("health")).await {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            },
        };
        sound.map_err(|error| {
            tracing::warn!("the object store is not well: {error:#}");
            "it cannot be read".to_owned()
        })
    }
}

#[cfg(feature = "cloud-objects")]
use cloud::open as bucket;

/// The configuration says so before it comes to this.
#[cfg(not(feature = "cloud-objects"))]
fn bucket(_: &crate::config::Objects, _: &url::Url) -> anyhow::Result<Arc<dyn ObjectStore>> {
    anyhow::bail!("this program was built without the feature cloud-objects")
}
