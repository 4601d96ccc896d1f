use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Advisory, Ecosystem};

const FORMAT: u32 = 2;

/// A package with more than this in advisories is refused as damaged.
const MAX_PACKAGE_BYTES: u64 = 256 * 1024 * 1024;
const MAX_PACKAGES: usize = 4_000_000;

/// The content of a manifest: what a store holds of one ecosystem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    format: u32,
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
pub struct Advisories(HashMap<Ecosystem, Open>);

struct Open {
    path: PathBuf,
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

impl Stored {
    pub(super) fn new(imported_at: Timestamp, files: Files) -> Self {
        Self { format: FORMAT, imported_at, files }
    }

    /// Gives the reason when the bytes are no manifest of this version of the code.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let stored: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if stored.format != FORMAT {
            return Err(format!("they have the format {}, not {FORMAT}", stored.format));
        }
        if ![&stored.files.data, &stored.files.index].into_iter().all(|name| is_plain(name)) {
            return Err("the manifest names a file elsewhere".to_owned());
        }
        Ok(stored)
    }

    /// None when nothing was imported of the ecosystem.
    pub fn read(folder: &Path, ecosystem: Ecosystem) -> Result<Option<Self>, StoreError> {
        let path = folder.join(ecosystem.manifest());
        match fs::read(&path) {
            Ok(bytes) => match Self::parse(&bytes) {
                Ok(stored) => Ok(Some(stored)),
                Err(error) => Err(StoreError::Damaged { path, error }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Read { path, error }),
        }
    }

    /// Makes it the manifest of the ecosystem; the files that it names are there already.
    pub fn write(&self, folder: &Path, ecosystem: Ecosystem) -> io::Result<()> {
        let path = folder.join(ecosystem.manifest());
        let temporary = path.with_extension("json.new");
        let mut file = File::create(&temporary)?;
        file.write_all(&self.to_bytes()?)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    }

    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
    }
}

fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.bytes().all(plain)
}

impl Advisories {
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        match Self::open_once(folder) {
            // The files may have been replaced after their manifest was read.
            Err(StoreError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                Self::open_once(folder)
            }
            result => result,
        }
    }

    pub fn has(&self, ecosystem: Ecosystem) -> bool {
        self.0.contains_key(&ecosystem)
    }

    /// The advisories about a package, none when there are none. The name is normalized here.
    pub fn lookup(&self, ecosystem: Ecosystem, name: &str) -> Result<Vec<Advisory>, StoreError> {
        let Some(open) = self.0.get(&ecosystem) else { return Ok(Vec::new()) };
        let Some((offset, length)) = open.index.get(ecosystem.normalized(name).as_ref()) else {
            return Ok(Vec::new());
        };
        let damaged = |error: String| StoreError::Damaged { path: open.path.clone(), error };
        if *length > MAX_PACKAGE_BYTES {
            return Err(damaged(format!("{length} bytes for one package")));
        }
        let mut bytes = vec![0; *length as usize];
        open.data
            .read_exact_at(&mut bytes, *offset)
            .map_err(|error| StoreError::Read { path: open.path.clone(), error })?;
        serde_json::Deserializer::from_slice(&bytes)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| damaged(error.to_string()))
    }

    fn open_once(folder: &Path) -> Result<Self, StoreError> {
        let mut ecosystems = HashMap::new();
        for ecosystem in Ecosystem::ALL {
            let Some(Stored { files, .. }) = Stored::read(folder, ecosystem)? else { continue };
            let (data, path) = open_file(folder, &files.data)?;
            let index = read_index(folder, &files.index)?;
            ecosystems.insert(ecosystem, Open { path, data, index });
        }
        if ecosystems.is_empty() {
            return Err(StoreError::Missing(folder.to_owned()));
        }
        Ok(Self(ecosystems))
    }
}

fn open_file(folder: &Path, name: &str) -> Result<(File, PathBuf), StoreError> {
    let path = folder.join(name);
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
