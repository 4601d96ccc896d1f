//! Running git on a repository that somebody else configured.

use std::{
    io,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Settings of the repository that could start a program, reach the network, or change what the
/// output looks like are overruled here or by the arguments of [`LOG`].
const SETTINGS: [&str; 12] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.quotePath=false",
    "diff.external=",
    "diff.orderFile=/dev/null",
    "gpg.program=/bin/false",
    "log.showSignature=false",
    "log.showRoot=true",
    "protocol.allow=never",
    "safe.directory=*",
    "core.pager=cat",
];

const LOG: [&str; 21] = [
    "log",
    "--all",
    "--patch",
    "--cc",
    "--unified=0",
    "--inter-hunk-context=0",
    "--format=%x00%H",
    "--find-renames=100%",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-show-signature",
    "--no-decorate",
    "--no-mailmap",
    "--no-notes",
    "--no-relative",
    "--submodule=short",
    "--ignore-submodules=all",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--diff-algorithm=myers",
];

/// `git log` while it runs. It is ended when this is dropped and when its time is over.
pub struct GitLog {
    child: Arc<Mutex<Child>>,
    /// Dropped to let the watch go.
    watch: Option<mpsc::Sender<()>>,
}

impl GitLog {
    /// The patches of every commit that a reference reaches, newest first. Files larger than
    /// `max_file_bytes` are left out.
    pub fn start(
        git_dir: &Path,
        max_file_bytes: u64,
        deadline: Instant,
    ) -> io::Result<(Self, ChildStdout)> {
        let mut child = command(git_dir, max_file_bytes).spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("git has no output"))?;
        let child = Arc::new(Mutex::new(child));
        let (watch, let_go) = mpsc::channel();
        let watched = Arc::clone(&child);
        thread::spawn(move || {
            let left = deadline.saturating_duration_since(Instant::now());
            if let_go.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Timeout) {
                end(&watched);
            }
        });
        Ok((Self { child, watch: Some(watch) }, stdout))
    }

    /// Waits for the end of a program whose output was read to the end.
    pub fn finish(mut self) -> io::Result<bool> {
        // Its output is closed, so it is about to end; it is not given long to do so.
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait()?;
            if let Some(status) = status {
                self.watch = None;
                return Ok(status.success());
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for GitLog {
    fn drop(&mut self) {
        end(&self.child);
    }
}

/// Nothing can be done when it has already ended.
fn end(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = child.kill();
    let _ = child.wait();
}

fn command(git_dir: &Path, max_file_bytes: u64) -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        // Given, so that no repository further up is looked for.
        .env("GIT_DIR", git_dir)
        .current_dir(git_dir)
        .args(["--no-pager", "--no-replace-objects", "--literal-pathspecs"]);
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command
        .arg("-c")
        .arg(format!("core.bigFileThreshold={max_file_bytes}"))
        .args(LOG)
        .arg("--")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // What git says may quote files that the repository's settings name.
        .stderr(Stdio::null());
    command
}
