use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Advisory, Ecosystem};

pub const MANIFEST: &str = "manifest.json";
const FORMAT: u32 = 1;

/// A package with more than this in advisories is refused as damaged.
const MAX_PACKAGE_BYTES: u64 = 256 * 1024 * 1024;
const MAX_PACKAGES: usize = 4_000_000;

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    pub ecosystems: BTreeMap<Ecosystem, Stored>,
}

/// The advisories of one ecosystem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    pub imported_at: Timestamp,
    #[serde(flatten)]
    pub files: Files,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    pub data: String,
    pub index: String,
    pub packages: u64,
    pub advisories: u64,
    /// SHA-256 of the data, in hexadecimal digits.
    pub digest: String,
}

/// An open store. It keeps reading the same advisories while others are imported.
pub struct Advisories {
    manifest: Manifest,
    ecosystems: HashMap<Ecosystem, Open>,
}

struct Open {
    data: File,
    /// Offset and length of the advisories of a package.
    index: HashMap<String, (u64, u64)>,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no advisories were imported into {}", .0.display())]
    Missing(PathBuf),
    #[error("cannot read the advisories in {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("the advisories in {} are damaged ({error}); import them again", path.display())]
    Damaged { path: PathBuf, error: String },
}

impl Default for Manifest {
    fn default() -> Self {
        Self { format: FORMAT, ecosystems: BTreeMap::new() }
    }
}

impl Manifest {
    /// None when nothing was imported yet.
    pub fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(MANIFEST);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::Read { path, error }),
        };
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| {
            StoreError::Damaged { path: path.clone(), error: error.to_string() }
        })?;
        if manifest.format != FORMAT {
            let error = format!("they have the format {}, not {FORMAT}", manifest.format);
            return Err(StoreError::Damaged { path, error });
        }
        Ok(Some(manifest))
    }
}

impl Advisories {
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        match Self::open_once(folder) {
            // An import may have replaced the files after the manifest was read.
            Err(StoreError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                Self::open_once(folder)
            }
            result => result,
        }
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn has(&self, ecosystem: Ecosystem) -> bool {
        self.ecosystems.contains_key(&ecosystem)
    }

    /// The advisories about a package, none when there are none. The name is normalized here.
    pub fn lookup(&self, ecosystem: Ecosystem, name: &str) -> Result<Vec<Advisory>, StoreError> {
        let Some(open) = self.ecosystems.get(&ecosystem) else { return Ok(Vec::new()) };
        let Some((offset, length)) = open.index.get(ecosystem.normalized(name).as_ref()) else {
            return Ok(Vec::new());
        };
        let path = || PathBuf::from(&self.manifest.ecosystems[&ecosystem].files.data);
        let damaged = |error: String| StoreError::Damaged { path: path(), error };
        if *length > MAX_PACKAGE_BYTES {
            return Err(damaged(format!("{length} bytes for one package")));
        }
        let mut bytes = vec![0; *length as usize];
        open.data
            .read_exact_at(&mut bytes, *offset)
            .map_err(|error| StoreError::Read { path: path(), error })?;
        serde_json::Deserializer::from_slice(&bytes)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| damaged(error.to_string()))
    }

    fn open_once(folder: &Path) -> Result<Self, StoreError> {
        let manifest =
            Manifest::read(folder)?.ok_or_else(|| StoreError::Missing(folder.to_owned()))?;
        let mut ecosystems = HashMap::new();
        for (ecosystem, stored) in &manifest.ecosystems {
            let (data, _) = open_file(folder, &stored.files.data)?;
            let index = read_index(folder, &stored.files.index)?;
            ecosystems.insert(*ecosystem, Open { data, index });
        }
        Ok(Self { manifest, ecosystems })
    }
}

fn open_file(folder: &Path, name: &str) -> Result<(File, PathBuf), StoreError> {
    let path = folder.join(name);
    if name.contains('/') {
        let error = "the manifest names a file elsewhere".to_owned();
        return Err(StoreError::Damaged { path, error });
    }
    match File::open(&path) {
        Ok(file) => Ok((file, path)),
        Err(error) => Err(StoreError::Read { path, error }),
    }
}

fn read_index(folder: &Path, name: &str) -> Result<HashMap<String, (u64, u64)>, StoreError> {
    let (file, path) = open_file(folder, name)?;
    let mut reader = BufReader::new(file);
    let mut index = HashMap::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(64 * 1024).read_until(b'\n', &mut line);
        match read {
            Ok(0) => return Ok(index),
            Ok(_) => {}
            Err(error) => return Err(StoreError::Read { path, error }),
        }
        let damaged = |error: String| StoreError::Damaged { path: path.clone(), error };
        let (package, offset, length): (String, u64, u64) =
            serde_json::from_slice(&line).map_err(|error| damaged(error.to_string()))?;
        if index.len() >= MAX_PACKAGES {
            return Err(damaged("too many packages".to_owned()));
        }
        index.insert(package, (offset, length));
    }
}
