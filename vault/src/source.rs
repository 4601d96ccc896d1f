//! Where master keys come from: a text of base64 keys, the current one first, in a file or a variable.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{Key, KeyRing, KeyRingError};

/// Far more than the most keys a ring may hold.
const MAX_TEXT: usize = 4096;
pub(crate) const OWNER_ONLY: u32 = 0o600;

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("there is no file {0} with the master key")]
    Missing(PathBuf),
    #[error(
        "the file {path} with the master key has the mode {mode:o}; make it 600, so that only its owner can read it"
    )]
    Mode { path: PathBuf, mode: u32 },
    #[error("{0} is not a file")]
    NotAFile(PathBuf),
    #[error("the file {path} with the master key cannot be read or made")]
    Io { path: PathBuf, source: io::Error },
    #[error("master key number {0} is not base64 of 32 bytes; `openssl rand -base64 32` makes one")]
    NotAKey(usize),
    #[error(
        "the master keys are not in a file: put a new one before them in vault.keys of every process"
    )]
    NotInAFile,
    #[error("a text with master keys has at most {MAX_TEXT} bytes")]
    TooLong,
    #[error(transparent)]
    Ring(#[from] KeyRingError),
}

/// Keys divided by white space or commas.
pub fn parse(text: &str) -> Result<KeyRing, SourceError> {
    if text.len() > MAX_TEXT {
        return Err(SourceError::TooLong);
    }
    let parts = text.split(|c: char| c.is_whitespace() || c == ',').filter(|part| !part.is_empty());
    let keys = parts.enumerate().map(|(at, part)| decode(part).ok_or(SourceError::NotAKey(at + 1)));
    Ok(KeyRing::new(keys.collect::<Result<Vec<_>, _>>()?)?)
}

/// The keys in a file, which nobody but its owner may read.
pub fn load(path: &Path) -> Result<KeyRing, SourceError> {
    parse(&read(path)?)
}

pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, SourceError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => SourceError::Missing(path.to_owned()),
        _ => SourceError::Io { path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(SourceError::NotAFile(path.to_owned()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & !OWNER_ONLY != 0 {
        return Err(SourceError::Mode { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT + 1));
    file.take(MAX_TEXT as u64 + 1).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// The keys in a file, which is made with a new key when it is not there. Of processes that start at
/// the same time, all get the same key. A file that is there is never written.
pub fn load_or_generate(
    path: &Path,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<KeyRing, SourceError> {
    match load(path) {
        Err(SourceError::Missing(_)) => {
            generate(path, rng)
                .map_err(|source| SourceError::Io { path: path.to_owned(), source })?;
            load(path)
        }
        loaded => loaded,
    }
}

/// The file appears whole or not at all: it is written under another name and linked to its own, which
/// fails when that is taken.
fn generate(path: &Path, rng: &mut (impl CryptoRng + ?Sized)) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let draft = folder.join(format!(".master-key-{:016x}", rng.next_u64()));
    let made = write_new(&draft, rng).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    made.and(removed)?;
    File::open(folder)?.sync_all()
}

fn write_new(path: &Path, rng: &mut (impl CryptoRng + ?Sized)) -> io::Result<()> {
    let text = Zeroizing::new(STANDARD.encode(Key::generate(rng).expose()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Base64 in either alphabet, padded or not.
fn decode(text: &str) -> Option<Key> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [alphabet::STANDARD, alphabet::URL_SAFE].iter().find_map(|alphabet| {
        let bytes = Zeroizing::new(GeneralPurpose::new(alphabet, lenient).decode(text).ok()?);
        Key::from_slice(&bytes)
    })
}

#[cfg(test)]
mod tests;
