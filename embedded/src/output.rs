use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::Error;

const MAX_FILE_BYTES: u64 = 8 << 20;
const MAX_LINE_BYTES: u64 = 4 << 10;
const TAIL_LINES: usize = 12;

/// What a server prints: kept in a file of bounded size with one predecessor (`.1`), and the last
/// few lines in memory for error messages.
#[derive(Clone, Default)]
pub struct Output {
    tail: Arc<Mutex<VecDeque<String>>>,
}

impl Output {
    /// Makes this the output and error stream of `command`.
    pub fn capture(&self, command: &mut Command, file: Option<&Path>) -> Result<(), Error> {
        let failed = |source| Error::Spawn { program: "a pipe".to_owned(), source };
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        command.stderr(writer.try_clone().map_err(failed)?).stdout(writer);
        self.follow(reader, file)
    }

    /// Reads until every process holding the other end is gone.
    fn follow(&self, pipe: PipeReader, file: Option<&Path>) -> Result<(), Error> {
        let mut file = file.map(Rotating::open).transpose()?;
        let output = self.clone();
        let run = move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while matches!(
                reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line),
                Ok(1..)
            ) {
                if let Some(file) = &mut file {
                    file.write(&line);
                }
                output.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                line.clear();
            }
        };
        let spawned = thread::Builder::new().name("server-output".to_owned()).spawn(run);
        spawned.map(drop).map_err(|source| Error::Spawn { program: "a thread".to_owned(), source })
    }

    pub fn clear(&self) {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn tail(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn push(&self, line: String) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == TAIL_LINES {
            tail.pop_front();
        }
        tail.push_back(line);
    }
}

struct Rotating {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Rotating {
    fn open(path: &Path) -> Result<Self, Error> {
        let file = open(path).map_err(Error::file("open", path))?;
        let bytes = file.metadata().map_err(Error::file("look at", path))?.len();
        Ok(Self { path: path.to_owned(), file, bytes })
    }

    /// A log that cannot be written must not stop the server: the line is lost.
    fn write(&mut self, line: &[u8]) {
        if self.bytes > MAX_FILE_BYTES {
            let _ = fs::rename(&self.path, self.path.with_extension("log.1"));
            if let Ok(file) = open(&self.path) {
                self.file = file;
                self.bytes = 0;
            }
        }
        if self.file.write_all(line).is_ok() {
            self.bytes += line.len() as u64;
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_keeps_one_predecessor_and_never_grows_past_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postgres.log");
        let mut log = Rotating::open(&path).unwrap();
        let line = vec![b'x'; 1 << 20];
        for _ in 0..40 {
            log.write(&line);
        }
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2);
        assert!(fs::metadata(&path).unwrap().len() <= MAX_FILE_BYTES + (1 << 20));
    }
}
