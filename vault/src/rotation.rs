//! Changing the master key in a file while processes run that read it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    Key, KeyRing, SourceError,
    source::{OWNER_ONLY, load, parse, read},
};

/// Where a process has its master keys from, to look again whether there are others.
pub enum KeySource {
    Text(Zeroizing<String>),
    File(PathBuf),
}

impl KeySource {
    pub fn ring(&self) -> Result<KeyRing, SourceError> {
        match self {
            Self::Text(text) => parse(text),
            Self::File(path) => load(path),
        }
    }

    /// Puts a new key before those in the file.
    pub fn add_key(&self, rng: &mut (impl CryptoRng + ?Sized)) -> Result<KeyRing, SourceError> {
        self.replace(|keys| {
            let mut text = Zeroizing::new(STANDARD.encode(Key::generate(rng).expose()));
            text.push('\n');
            text.push_str(keys);
            text
        })
    }

    /// Leaves only the current key in the file. What is wrapped under another is lost with it.
    pub fn forget_former(&self) -> Result<KeyRing, SourceError> {
        self.replace(|keys| {
            let mut parts = keys.split(|c: char| c.is_whitespace() || c == ',');
            let current = parts.find(|part| !part.is_empty()).unwrap_or_default();
            Zeroizing::new(format!("{current}\n"))
        })
    }

    /// One at a time: two that changed the file at once would lose the key of one.
    fn replace(
        &self,
        change: impl FnOnce(&str) -> Zeroizing<String>,
    ) -> Result<KeyRing, SourceError> {
        let Self::File(path) = self else { return Err(SourceError::NotInAFile) };
        let failed = |source| SourceError::Io { path: path.clone(), source };
        let lock = lock_file(path);
        let held = OpenOptions::new().create(true).append(true).mode(OWNER_ONLY).open(&lock);
        let held = held.map_err(failed)?;
        held.lock().map_err(failed)?;
        let changed = change(&read(path)?);
        let ring = parse(&changed)?;
        write_whole(path, &changed).map_err(failed)?;
        Ok(ring)
    }
}

/// Whoever reads the file sees the former keys or the new ones.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let draft = with_suffix(path, ".new");
    // One that a process left behind when it died is of no use to anybody.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn lock_file(path: &Path) -> PathBuf {
    with_suffix(path, ".lock")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::MetadataExt, thread};

    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::load_or_generate;

    fn rng(seed: u64) -> StdRng {
        StdRng::seed_from_u64(seed)
    }

    #[test]
    fn a_new_key_comes_first_and_the_former_ones_stay_until_they_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let first = load_or_generate(&path, &mut rng(1)).unwrap();
        let source = KeySource::File(path.clone());
        let second = source.add_key(&mut rng(2)).unwrap();
        assert_ne!(second.current(), first.current());
        assert!(second.ids().any(|id| id == first.current()));
        assert_eq!(source.ring().unwrap().current(), second.current());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, OWNER_ONLY);

        let last = source.forget_former().unwrap();
        assert_eq!(last.ids().collect::<Vec<_>>(), [second.current()]);
        assert_eq!(source.ring().unwrap().current(), second.current());
    }

    #[test]
    fn keys_that_are_added_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        load_or_generate(&path, &mut rng(1)).unwrap();
        thread::scope(|scope| {
            for seed in 10..16 {
                let path = path.clone();
                scope.spawn(move || KeySource::File(path).add_key(&mut rng(seed)).unwrap());
            }
        });
        assert_eq!(load(&path).unwrap().ids().count(), 7);
    }

    #[test]
    fn keys_that_are_in_no_file_are_not_changed_here() {
        let source = KeySource::Text(Zeroizing::new(STANDARD.encode([1; 32])));
        assert!(matches!(source.add_key(&mut rng(1)), Err(SourceError::NotInAFile)));
        assert_eq!(source.ring().unwrap().ids().count(), 1);
    }
}
