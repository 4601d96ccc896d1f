use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use super::scratch::Scratch;
use super::{Checkouts, Error, History, Log, error, log, size};
use crate::sandbox::{self, Exit, Lines, Reason, Running};

/// Enough of git's last words to tell what went wrong.
const KEPT_LINES: usize = 40;

/// Nothing from outside the command line steers git, and nothing in a repository can make it run
/// a program, follow a server elsewhere or fetch from a second place.
const SETTINGS: [&str; 26] = [
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "protocol.allow=never",
    "protocol.http.allow=always",
    "protocol.https.allow=always",
    "credential.helper=",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",
    "core.attributesFile=/dev/null",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
    "transfer.fsckObjects=true",
    // Harmless slips that many old and honest histories carry.
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingEmail=ignore",
    "fetch.fsck.missingNameBeforeEmail=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.missingSpaceBeforeEmail=ignore",
    "fetch.fsck.zeroPaddedDate=ignore",
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "gc.auto=0",
    "maintenance.auto=false",
    "pack.threads=1",
    "checkout.workers=1",
    "advice.detachedHead=false",
];

const ENVIRONMENT: [(&str, &str); 9] = [
    ("LC_ALL", "C"),
    ("HOME", "/nonexistent"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_LFS_SKIP_SMUDGE", "1"),
    // For the reflog; the user of the sandbox has no name.
    ("GIT_COMMITTER_NAME", "worker"),
    ("GIT_COMMITTER_EMAIL", "worker@localhost"),
];

impl Checkouts {
    pub(super) async fn clone_into(
        &self,
        scratch: &Scratch,
        url: &str,
        history: History,
        cancel: &CancellationToken,
        log: Log<'_>,
    ) -> Result<(), Error> {
        let (url, host) = parse(url)?;
        let port = url.port_or_known_default().unwrap_or(443);
        let name = host.to_string();
        let addresses = tokio::select! {
            found = self.addresses.resolve(&name, port) => found?,
            () = cancel.cancelled() => return Err(Error::Cancelled),
        };
        let mut command = self.sandbox.command("git");
        if let Host::Domain(name) = &host {
            pin(&mut command, scratch, name, port, &addresses).map_err(Error::Scratch)?;
        }
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args(["clone", "--no-tags", "--no-recurse-submodules", "--template="]);
        command.args(match history {
            History::Latest => &["--depth", "1", "--single-branch"][..],
            History::Full => &["--no-single-branch"][..],
        });
        let tree = command.bind_rw(scratch.tree(), "/checkout");
        command.arg("--").arg(url.as_str()).arg(tree);
        for (name, value) in ENVIRONMENT {
            command.env(name, value);
        }
        command.network(true).cancel_with(cancel).limits(self.sandbox_limits());
        log(&log::clean(&format!("cloning {url}")));
        self.follow(command.spawn()?, scratch, cancel, log).await
    }

    fn sandbox_limits(&self) -> sandbox::Limits {
        sandbox::Limits {
            memory_bytes: self.limits.memory_bytes,
            cpu_percent: 200,
            time: self.limits.time,
            output_bytes: 4 << 20,
            file_bytes: self.limits.bytes,
            tmp_bytes: 1 << 20,
            ..sandbox::Limits::default()
        }
    }

    async fn follow(
        &self,
        running: Running,
        scratch: &Scratch,
        cancel: &CancellationToken,
        log: Log<'_>,
    ) -> Result<(), Error> {
        let Running { stdin: _, stdout, stderr, mut process } = running;
        drop(stdout);
        let tree = scratch.tree();
        let ended = {
            let end = async {
                let said = pass_on(stderr, log).await;
                (process.wait().await, said)
            };
            tokio::select! {
                ended = end => Some(ended),
                () = size::outgrown(&tree, self.limits) => None,
            }
        };
        let Some((exit, said)) = ended else {
            process.kill();
            process.wait().await;
            return Err(self.too_large());
        };
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        self.judge(exit, &said)?;
        if size::fits(&tree, self.limits).await { Ok(()) } else { Err(self.too_large()) }
    }

    fn judge(&self, exit: Exit, said: &[String]) -> Result<(), Error> {
        let has = |part: &str| said.iter().any(|line| line.contains(part));
        match exit.reason {
            Reason::Exited(0)
                if has("cloned an empty repository") || has("refers to nonexistent ref") =>
            {
                Err(Error::Empty)
            }
            Reason::Exited(0) => Ok(()),
            Reason::TimedOut => Err(Error::TimedOut { seconds: self.limits.time.as_secs() }),
            Reason::OutOfMemory => Err(Error::OutOfMemory { max_bytes: self.limits.memory_bytes }),
            // The signal of a file that grew over the limit.
            Reason::Signalled(25) => Err(self.too_large()),
            _ if cut_off(said) => Err(self.too_large()),
            Reason::Exited(126 | 127) => Err(Error::GitMissing(said.join("; "))),
            _ if has("failed to execute git") || has("execvp git") => {
                Err(Error::GitMissing(said.join("; ")))
            }
            Reason::TooMuchOutput | Reason::Killed => Err(Error::Git(exit.reason.to_string())),
            Reason::Exited(_) | Reason::Signalled(_) => Err(error::meaning(said)),
        }
    }

    fn too_large(&self) -> Error {
        Error::TooLarge { max_bytes: self.limits.bytes, max_files: self.limits.files }
    }
}

fn parse(text: &str) -> Result<(Url, Host<String>), Error> {
    let refusal = |why: &str| Error::Url(why.to_owned());
    let mut url = Url::parse(text).map_err(|error| Error::Url(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refusal("its scheme is another"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refusal("it carries a user name or password"));
    }
    // Git and its http library disagree on a dot at the end of a name, so pinning could fail.
    if let Some(name) = url.domain().and_then(|name| name.strip_suffix('.')).map(str::to_owned) {
        url.set_host(Some(&name)).map_err(|error| Error::Url(error.to_string()))?;
    }
    url.set_fragment(None);
    let host = url.host().map(|host| host.to_owned()).ok_or_else(|| refusal("it has no host"))?;
    Ok((url, host))
}

/// Fixes the name to the addresses that were judged, twice: for git's http library, and for any
/// other question inside the walls, where no name server is asked.
fn pin(
    command: &mut sandbox::Command,
    scratch: &Scratch,
    name: &str,
    port: u16,
    addresses: &[SocketAddr],
) -> io::Result<()> {
    let listed: Vec<String> = addresses
        .iter()
        .map(|address| match address {
            SocketAddr::V4(v4) => v4.ip().to_string(),
            SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
        })
        .collect();
    command.arg("-c").arg(format!("http.curloptResolve={name}:{port}:{}", listed.join(",")));
    let hosts: String =
        addresses.iter().map(|address| format!("{} {name}\n", address.ip())).collect();
    command.bind_ro(scratch.write("hosts", &hosts)?, "/etc/hosts");
    let order = scratch.write("nsswitch.conf", "hosts: files\n")?;
    command.bind_ro(order, "/etc/nsswitch.conf");
    Ok(())
}

/// Whether a file grew over the limit. The part of git that stores what is received is killed by
/// that without a word, so git then complains of nothing but its silence.
fn cut_off(said: &[String]) -> bool {
    let complaints =
        said.iter().filter(|line| line.contains("fatal: ") || line.contains("error: "));
    let complaints: Vec<&String> = complaints.collect();
    matches!(complaints[..], [only] if only.contains("invalid index-pack output"))
        || said.iter().any(|line| line.contains("File too large"))
}

/// Passes git's words on to the log; returns the last of them.
async fn pass_on(mut stderr: Lines, log: Log<'_>) -> Vec<String> {
    let mut kept = VecDeque::with_capacity(KEPT_LINES);
    while let Some(line) = stderr.next().await {
        let line = log::clean(&line.text());
        log(&line);
        if kept.len() == KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
    }
    kept.into()
}
