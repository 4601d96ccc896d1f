use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::Error;

/// The oldest mails go when there are more: anybody may cause mails, and the disk is not theirs.
const MAX_MAILS: usize = 1000;

/// A folder with one `.eml` file per mail, for this user alone, named by time and id.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the folder if it is not there.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(crate) async fn keep(
        &self,
        at: DateTime<Utc>,
        id: Uuid,
        bytes: Vec<u8>,
    ) -> Result<PathBuf, Error> {
        let folder = self.0.clone();
        let name = format!("{}-{id}", at.format("%Y%m%dT%H%M%S%.3fZ"));
        let written = tokio::task::spawn_blocking(move || {
            drop_oldest(&folder)?;
            write(&folder, &name, &bytes)
        });
        let failed = |reason: &dyn std::fmt::Display| {
            Error::Retry(format!("{} could not be written to: {reason}", self.0.display()))
        };
        written.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

/// A reader sees a whole mail or none.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let unfinished = folder.join(format!(".{name}.tmp"));
    let finished = folder.join(format!("{name}.eml"));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, &finished)?;
    File::open(folder)?.sync_all()?;
    Ok(finished)
}

/// Leaves room for one more. The names sort by time.
fn drop_oldest(folder: &Path) -> io::Result<()> {
    let mut mails = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|own| own == "eml" || own == "tmp") {
            mails.push(path);
        }
    }
    let surplus = (mails.len() + 1).saturating_sub(MAX_MAILS);
    mails.sort_unstable();
    for mail in &mails[..surplus] {
        match fs::remove_file(mail) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
