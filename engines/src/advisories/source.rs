use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    time::{Duration, Instant},
};

use zip::ZipArchive;

use super::ImportError;
use crate::tree::{Selection, Tree, TreeLimits};

/// The largest advisories have some hundred kB.
pub const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;
pub const MAX_FILES: u64 = 1_000_000;
pub const MAX_TOTAL_BYTES: u64 = 16 * 1024 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(3600);

/// Takes the name of a file and its content.
type Take<'a> = dyn FnMut(&str, &[u8]) -> Result<(), ImportError> + 'a;

/// Hands every JSON file of a folder or a zip archive to `take`, with its name.
pub fn read(source: &Path, take: &mut Take<'_>) -> Result<(), ImportError> {
    let metadata = source.metadata().map_err(|error| ImportError::read(source, error))?;
    if metadata.is_dir() { read_folder(source, take) } else { read_zip(source, take) }
}

fn read_folder(folder: &Path, take: &mut Take<'_>) -> Result<(), ImportError> {
    let selection = Selection {
        file: |name| name.ends_with(b".json"),
        skip_folders: &[".git"],
        text_only: false,
    };
    let limits = TreeLimits {
        max_files: MAX_FILES,
        max_file_bytes: MAX_FILE_BYTES,
        max_total_bytes: MAX_TOTAL_BYTES,
        deadline: Instant::now() + MAX_TIME,
    };
    let mut tree = Tree::open(folder, selection, limits)
        .map_err(|error| ImportError::Source(error.to_string()))?;
    while let Some(file) = tree.next_file() {
        take(&file.path, &file.bytes)?;
    }
    // A store that lacks some of the advisories would call packages clean that are not.
    match tree.left_out().warnings().find(|(_, _, missed)| *missed) {
        Some((_, message, _)) => Err(ImportError::Source(message)),
        None => Ok(()),
    }
}

fn read_zip(path: &Path, take: &mut Take<'_>) -> Result<(), ImportError> {
    let file = File::open(path).map_err(|error| ImportError::read(path, error))?;
    let mut archive = ZipArchive::new(BufReader::new(file))
        .map_err(|error| ImportError::Source(format!("not a readable zip archive: {error}")))?;
    if archive.len() as u64 > MAX_FILES {
        let message = format!("the archive holds more than {MAX_FILES} files");
        return Err(ImportError::Source(message));
    }
    let deadline = Instant::now() + MAX_TIME;
    let mut total = 0;
    let mut bytes = Vec::new();
    for index in 0..archive.len() {
        let entry = archive
            .by_index(index)
            .map_err(|error| ImportError::Source(format!("entry {index}: {error}")))?;
        // A name only has to be told; what cannot be shown of it does not matter.
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        if !entry.is_file() || !name.ends_with(".json") {
            continue;
        }
        unpack(entry, &mut bytes)
            .map_err(|error| ImportError::Source(format!("entry `{name}`: {error}")))?;
        total += bytes.len() as u64;
        if total > MAX_TOTAL_BYTES || Instant::now() > deadline {
            let message = "the archive unpacks to more than may be read; nothing was imported";
            return Err(ImportError::Source(message.to_owned()));
        }
        take(&name, &bytes)?;
    }
    Ok(())
}

/// The size that the archive states is not trusted.
fn unpack(entry: impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    entry.take(MAX_FILE_BYTES + 1).read_to_end(bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message =
            format!("it unpacks to more than {MAX_FILE_BYTES} bytes; nothing was imported");
        return Err(io::Error::other(message));
    }
    Ok(())
}
