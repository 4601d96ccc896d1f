use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Stdio;

use tokio_util::sync::CancellationToken;

use super::bubblewrap::{Bind, Plan, without_powers};
use super::cgroup::Group;
use super::limits::Uncovered;
use super::running::Running;
use super::{Error, Limits, Sandbox};

const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Enters the control groups, then becomes the program, so nothing of it runs outside of them.
/// The arguments are the number of groups, their folders, and the program with its arguments.
const ENTER_GROUPS: &str = r#"n=$1; shift
while [ "$n" -gt 0 ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; n=$((n-1)); done
exec "$@""#;

/// A program to be run. What is not given here it does not have.
#[derive(Debug)]
pub struct Command {
    sandbox: Sandbox,
    words: Vec<OsString>,
    binds: Vec<Bind>,
    env: Vec<(OsString, OsString)>,
    network: bool,
    stdin: bool,
    limits: Limits,
    cancel: CancellationToken,
}

impl Command {
    pub(super) fn new(sandbox: Sandbox, program: OsString) -> Self {
        Self {
            sandbox,
            words: vec![program],
            binds: Vec::new(),
            env: Vec::new(),
            network: false,
            stdin: false,
            limits: Limits::default(),
            cancel: CancellationToken::new(),
        }
    }

    pub fn arg(&mut self, word: impl AsRef<OsStr>) -> &mut Self {
        self.words.push(word.as_ref().to_owned());
        self
    }

    pub fn args(&mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Shows a file or folder, read-only. Returns where the program sees it: `inside`, or the
    /// source itself where there are no walls.
    pub fn bind_ro(&mut self, source: impl Into<PathBuf>, inside: impl Into<PathBuf>) -> PathBuf {
        self.bind(source.into(), inside.into(), false)
    }

    /// As [`Self::bind_ro`], writable. See [`Sandbox::hand_over`] for whose the folder must be.
    pub fn bind_rw(&mut self, source: impl Into<PathBuf>, inside: impl Into<PathBuf>) -> PathBuf {
        self.bind(source.into(), inside.into(), true)
    }

    fn bind(&mut self, source: PathBuf, inside: PathBuf, writable: bool) -> PathBuf {
        if self.sandbox.inner.walls.is_none() {
            return source;
        }
        self.binds.push(Bind { source, inside: inside.clone(), writable });
        inside
    }

    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Shares the network of the worker.
    pub fn network(&mut self, shared: bool) -> &mut Self {
        self.network = shared;
        self
    }

    /// Opens [`Running::stdin`]; otherwise the program reads nothing.
    pub fn stdin(&mut self, open: bool) -> &mut Self {
        self.stdin = open;
        self
    }

    pub fn limits(&mut self, limits: Limits) -> &mut Self {
        self.limits = limits;
        self
    }

    /// Ends the run when the token is cancelled.
    pub fn cancel_with(&mut self, token: &CancellationToken) -> &mut Self {
        self.cancel = token.clone();
        self
    }

    /// Must be called on a thread of the runtime that stays: see the notes of the module.
    pub fn spawn(&self) -> Result<Running, Error> {
        let groups = self.sandbox.inner.groups.as_ref();
        let group = groups.map(|groups| groups.create(&self.limits)).transpose();
        let group = group.map_err(Error::Group)?;
        let words = self.words(group.as_ref());
        let mut command = tokio::process::Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", SEARCH_PATH)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(if self.stdin { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Apart from the worker's own group, so that Ctrl-C on a terminal reaches the worker only.
            .process_group(0)
            .kill_on_drop(true);
        if self.sandbox.inner.walls.is_none() {
            command.current_dir("/");
        }
        let child = command.spawn().map_err(|source| Error::Spawn {
            program: self.words[0].to_string_lossy().into_owned(),
            source,
        })?;
        Ok(Running::new(child, group, &self.limits, &self.cancel))
    }

    fn words(&self, group: Option<&Group>) -> Vec<OsString> {
        let walls = self.sandbox.inner.walls.as_ref();
        let uncovered = Uncovered {
            memory: group.is_none(),
            // Outside a user namespace of its own this would count the processes of others too.
            pids: !group.is_some_and(Group::counts_pids)
                && walls.is_some_and(|walls| walls.has_own_userns()),
        };
        let mut words = self.limits.prlimit(uncovered);
        words.extend(self.words.iter().cloned());
        let words = match walls {
            Some(walls) => walls.words(Plan {
                words,
                binds: &self.binds,
                network: self.network,
                tmp_bytes: self.limits.tmp_bytes,
            }),
            None => {
                let root = rustix::process::geteuid().is_root();
                std::iter::once("setpriv".into()).chain(without_powers(root)).chain(words).collect()
            }
        };
        match group {
            Some(group) => enter(group, words),
            None => words,
        }
    }
}

fn enter(group: &Group, words: Vec<OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = ["/bin/sh", "-c", ENTER_GROUPS, "sandbox"].map(Into::into).into();
    all.push(group.folders().count().to_string().into());
    all.extend(group.folders().map(Into::into));
    all.extend(words);
    all
}
