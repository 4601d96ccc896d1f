use std::{
    ffi::{CStr, CString},
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Instant,
};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};

use super::{LeftOut, Reason, name};

/// Folders are held open while they are walked, so the depth is bounded by open files as well.
const MAX_DEPTH: usize = 100;

/// Names listed in all, as a multiple of the files that may be read.
const NAMES_PER_FILE: u64 = 4;

/// A file with a NUL in its first bytes is taken as binary.
const SNIFF_BYTES: u64 = 8 * 1024;

const CACHE_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Which files of a tree are read.
#[derive(Debug, Clone, Copy)]
pub struct Selection {
    /// By the name of the file alone.
    pub file: fn(&[u8]) -> bool,
    /// Folders with these names are not entered.
    pub skip_folders: &'static [&'static str],
    /// Binary files are passed over.
    pub text_only: bool,
}

/// Bounds of a walk.
#[derive(Debug, Clone, Copy)]
pub struct TreeLimits {
    pub max_files: u64,
    pub max_file_bytes: u64,
    pub max_total_bytes: u64,
    pub deadline: Instant,
}

/// A walk over the files below a root, in the order of their names.
pub struct Tree {
    selection: Selection,
    limits: TreeLimits,
    folders: Vec<Folder>,
    left_out: LeftOut,
    names: u64,
    files: u64,
    bytes: u64,
}

/// A file that was read whole.
#[derive(Debug)]
pub struct TreeFile {
    /// Relative to the root, with `/` between the parts.
    pub path: String,
    pub bytes: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("cannot open the folder {}: {error}", path.display())]
    Root { path: PathBuf, error: io::Error },
}

struct Folder {
    handle: OwnedFd,
    path: String,
    /// In reverse, so that the next one is taken from the end.
    entries: Vec<(CString, FileType)>,
}

enum Content {
    Read(Vec<u8>),
    Binary,
    LeftOut(Reason, bool),
}

impl Tree {
    /// The root itself may be reached through symbolic links: it is the caller's choice.
    pub fn open(root: &Path, selection: Selection, limits: TreeLimits) -> Result<Self, TreeError> {
        let error = |error: io::Error| TreeError::Root { path: root.to_owned(), error };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = fs::open(root, flags, Mode::empty()).map_err(|errno| error(errno.into()))?;
        let mut tree = Self {
            selection,
            limits,
            folders: Vec::new(),
            left_out: LeftOut::default(),
            names: 0,
            files: 0,
            bytes: 0,
        };
        tree.enter(handle, String::new()).map_err(error)?;
        Ok(tree)
    }

    /// The next file that was selected and could be read; none at the end or when a limit is
    /// reached.
    pub fn next_file(&mut self) -> Option<TreeFile> {
        loop {
            let folder = self.folders.last_mut()?;
            let Some((name, kind)) = folder.entries.pop() else {
                self.folders.pop();
                continue;
            };
            let path = join(&folder.path, name.to_bytes());
            if Instant::now() >= self.limits.deadline {
                return self.end(Reason::TimeOver, &path);
            }
            match kind {
                FileType::RegularFile => {
                    if !(self.selection.file)(name.to_bytes()) {
                        continue;
                    }
                    if self.files >= self.limits.max_files {
                        return self.end(Reason::TooManyFiles, &path);
                    }
                    match self.read(&name) {
                        Content::Read(bytes) => {
                            self.files += 1;
                            self.bytes += bytes.len() as u64;
                            return Some(TreeFile { path, bytes });
                        }
                        Content::Binary => self.files += 1,
                        Content::LeftOut(Reason::TooManyBytes, _) => {
                            return self.end(Reason::TooManyBytes, &path);
                        }
                        Content::LeftOut(reason, missed) => {
                            self.left_out.note(reason, &path, missed);
                        }
                    }
                }
                FileType::Directory => self.enter_child(&name, path),
                FileType::Symlink => self.left_out.note(Reason::Symlink, &path, false),
                _ => self.left_out.note(Reason::Special, &path, false),
            }
        }
    }

    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// Files looked at, binary ones included.
    pub fn files(&self) -> u64 {
        self.files
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn end(&mut self, reason: Reason, path: &str) -> Option<TreeFile> {
        self.left_out.note(reason, path, true);
        self.folders.clear();
        None
    }

    fn enter_child(&mut self, name: &CStr, path: String) {
        if self.selection.skip_folders.iter().any(|skip| skip.as_bytes() == name.to_bytes()) {
            return;
        }
        if self.folders.len() >= MAX_DEPTH {
            return self.left_out.note(Reason::TooDeep, &path, true);
        }
        let Some(parent) = self.folders.last() else { return };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened =
            fs::openat(&parent.handle, name, flags, Mode::empty()).map_err(io::Error::from);
        if opened.and_then(|handle| self.enter(handle, path.clone())).is_err() {
            self.left_out.note(Reason::Unreadable, &path, true);
        }
    }

    fn enter(&mut self, handle: OwnedFd, path: String) -> io::Result<()> {
        if !path.is_empty() && is_cache(&handle) {
            self.left_out.note(Reason::Cache, &path, false);
            return Ok(());
        }
        let mut entries = Vec::new();
        for entry in Dir::read_from(&handle)? {
            let entry = entry?;
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            if self.names >= self.limits.max_files.saturating_mul(NAMES_PER_FILE) {
                let path = join(&path, entry.file_name().to_bytes());
                self.left_out.note(Reason::TooManyFiles, &path, true);
                break;
            }
            self.names += 1;
            let name = entry.file_name().to_owned();
            let kind = match entry.file_type() {
                FileType::Unknown => kind_of(&handle, &name),
                kind => kind,
            };
            entries.push((name, kind));
        }
        entries.sort_unstable_by(|a, b| b.0.cmp(&a.0));
        self.folders.push(Folder { handle, path, entries });
        Ok(())
    }

    fn read(&self, name: &CStr) -> Content {
        let Some(parent) = self.folders.last() else {
            return Content::LeftOut(Reason::Unreadable, true);
        };
        let Ok((file, size)) = open_regular(&parent.handle, name) else {
            return Content::LeftOut(Reason::Unreadable, true);
        };
        self.read_bounded(&file, size).unwrap_or(Content::LeftOut(Reason::Unreadable, true))
    }

    fn read_bounded(&self, file: &File, size: u64) -> io::Result<Content> {
        let mut bytes = Vec::new();
        file.take(SNIFF_BYTES).read_to_end(&mut bytes)?;
        let binary = self.selection.text_only && bytes.contains(&0);
        let max = self.limits.max_file_bytes;
        if size > max {
            return Ok(Content::LeftOut(Reason::TooLarge, !binary));
        }
        if binary {
            return Ok(Content::Binary);
        }
        let left = self.limits.max_total_bytes.saturating_sub(self.bytes);
        if size > left {
            return Ok(Content::LeftOut(Reason::TooManyBytes, true));
        }
        // The file may have grown since its size was asked for.
        let bound = max.min(left);
        let rest = bound.saturating_sub(bytes.len() as u64) + 1;
        file.take(rest).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bound {
            return Ok(Content::LeftOut(Reason::TooLarge, true));
        }
        Ok(Content::Read(bytes))
    }
}

/// Fails for anything but a regular file. Without blocking, as a pipe may have taken its place.
fn open_regular(folder: &OwnedFd, name: &CStr) -> io::Result<(File, u64)> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(fs::openat(folder, name, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok((file, metadata.len()))
}

fn kind_of(folder: &OwnedFd, name: &CStr) -> FileType {
    fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
}

/// Build tools mark the folders that they can make again, see <https://bford.info/cachedir/>.
fn is_cache(folder: &OwnedFd) -> bool {
    let mut start = [0; CACHE_SIGNATURE.len()];
    open_regular(folder, c"CACHEDIR.TAG")
        .and_then(|(mut file, _)| file.read_exact(&mut start))
        .is_ok_and(|()| start == CACHE_SIGNATURE)
}

fn join(folder: &str, entry: &[u8]) -> String {
    let entry = name::show(entry);
    if folder.is_empty() { entry } else { format!("{folder}/{entry}") }
}
