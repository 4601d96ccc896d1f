//! Against the real git, in the real sandbox where there is one, over HTTP on loopback.

mod clones;
mod faults;
mod folders;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use domain::scans::RepositorySource;
use outbound::AddressPolicy;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Checkout, Checkouts, Error, History, Limits};
use crate::sandbox::{Mode, Sandbox};

/// What a test has: repositories of its own, a scratch folder, and what git said.
struct Bench {
    folder: TempDir,
    checkouts: Checkouts,
    said: Mutex<Vec<String>>,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::detect(Mode::Preferred).await.unwrap();
        if let Some(warning) = sandbox.warning() {
            println!("without walls: {warning}");
        }
        let allowed = ["127.0.0.0/8".to_owned(), "::1".to_owned()];
        let checkouts = Checkouts {
            sandbox,
            scratch: folder.path().join("scratch"),
            folders: vec![folder.path().join("allowed")],
            addresses: AddressPolicy::new(&allowed).unwrap(),
            limits: Limits { time: Duration::from_secs(30), ..Limits::default() },
        };
        Self { folder, checkouts, said: Mutex::default() }
    }

    async fn open(&self, source: RepositorySource, history: History) -> Result<Checkout, Error> {
        let log = |line: &str| self.said.lock().unwrap().push(line.to_owned());
        self.checkouts.open(&source, history, &CancellationToken::new(), &log).await
    }

    async fn clone(&self, url: &str) -> Result<Checkout, Error> {
        self.open(RepositorySource::Url(url.to_owned()), History::Latest).await
    }

    async fn path(&self, path: &Path) -> Result<Checkout, Error> {
        let path = path.to_str().unwrap().to_owned();
        self.open(RepositorySource::Path(path), History::Latest).await
    }

    fn repositories(&self) -> PathBuf {
        self.folder.path().join("repositories")
    }

    /// A repository with the files, committed one after another.
    fn repository(&self, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let path = self.repositories().join(name);
        std::fs::create_dir_all(&path).unwrap();
        git(&path, &["init", "--quiet", "--initial-branch=main"]);
        for (file, content) in files {
            std::fs::create_dir_all(path.join(file).parent().unwrap()).unwrap();
            std::fs::write(path.join(file), content).unwrap();
            git(&path, &["add", "--force", "--", file]);
            git(&path, &["commit", "--quiet", "-m", file]);
        }
        path
    }

    fn scratch_entries(&self) -> usize {
        std::fs::read_dir(&self.checkouts.scratch).map_or(0, Iterator::count)
    }

    async fn scratch_is_emptied(&self) {
        for _ in 0..500 {
            if self.scratch_entries() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} scratch folders stay", self.scratch_entries());
    }
}

fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "-c", "user.name=a", "-c", "user.email=a@b"])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
