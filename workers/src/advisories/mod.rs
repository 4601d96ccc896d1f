//! The advisories of an installation, in its object store, and the copy of them that engines read.
//!
//! Below `advisories/` the object store has what a store on disk has: for each ecosystem a manifest,
//! and the two files it names. An import writes the files first and the manifests last, and removes
//! nothing that the manifests before it named, so whoever has read a manifest can have its files. A
//! worker compares the manifests with those of its own copy before each use, and fetches what is new.

mod publish;
mod refresh;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engines::advisories::{Ecosystem, StoreError, Stored};
use object_store::{ObjectStore, ObjectStoreExt};

const FOLDER: &str = "advisories";
/// Of one file; those of the largest ecosystem have some hundred MB.
const MAX_FILE_BYTES: u64 = 4 << 30;
/// A manifest has some hundred bytes.
const MAX_MANIFEST_BYTES: u64 = 64 << 10;

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Advisories {
    store: Arc<dyn ObjectStore>,
    copy: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the object store failed")]
    Store(#[from] object_store::Error),
    #[error("the advisories could not be read or written on this machine")]
    File(#[from] io::Error),
    #[error(transparent)]
    Local(#[from] StoreError),
    #[error("{name} in the object store is not what was imported ({reason}); import it again")]
    Damaged { name: String, reason: String },
    #[error("{0} has more than {MAX_FILE_BYTES} bytes")]
    TooLarge(String),
    #[error("the newer advisories are still on their way")]
    Slow,
}

impl Advisories {
    /// `copy` is a folder of this machine for nothing else; it is made when needed.
    pub fn new(store: Arc<dyn ObjectStore>, copy: PathBuf) -> Self {
        Self { store, copy }
    }

    /// The folder that engines read.
    pub fn copy(&self) -> &Path {
        &self.copy
    }

    /// What the object store has of an ecosystem.
    async fn manifest(&self, ecosystem: Ecosystem) -> Result<Option<Stored>, Error> {
        let name = ecosystem.manifest();
        let object = match self.store.get(&at(&name)).await {
            Ok(object) => object,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if object.meta.size > MAX_MANIFEST_BYTES {
            return Err(Error::TooLarge(name));
        }
        match Stored::parse(&object.bytes().await?) {
            Ok(stored) => Ok(Some(stored)),
            Err(reason) => Err(Error::Damaged { name, reason }),
        }
    }
}

fn at(name: &str) -> object_store::path::Path {
    object_store::path::Path::from_iter([FOLDER, name])
}

fn files(stored: &Stored) -> [&str; 2] {
    [&stored.files.data, &stored.files.index]
}

/// Whether it is named as files of a store are.
fn is_ours(name: &str) -> bool {
    [".ndjson", ".index", ".json", ".new"].iter().any(|end| name.ends_with(end))
}
