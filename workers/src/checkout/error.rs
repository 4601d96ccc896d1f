use std::io;
use std::path::PathBuf;

use outbound::address;

use super::FOLDERS_SETTING;
use crate::sandbox;

/// Why a repository cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the path {path:?} is not below a folder that may be scanned; an operator can add it to {FOLDERS_SETTING}"
    )]
    NotAllowed { path: PathBuf },
    #[error("there is no folder at {path:?}")]
    Missing { path: PathBuf },
    #[error(
        "the folder {path:?} cannot be read by the user that scans run as; make it readable for others (chmod o+rx), or run the worker as its owner"
    )]
    Unreadable { path: PathBuf },
    #[error("the scratch folder for clones cannot be used")]
    Scratch(#[source] io::Error),
    #[error("the address of the repository is not a plain http or https URL: {0}")]
    Url(String),
    #[error(transparent)]
    Address(#[from] address::Error),
    #[error("git cannot be run")]
    Sandbox(#[from] sandbox::Error),
    #[error("git is not installed on the worker, or cannot be run there: {0}")]
    GitMissing(String),
    #[error("the host of the repository cannot be reached: {0}")]
    Unreachable(String),
    #[error("the certificate of the host is not trusted: {0}")]
    Certificate(String),
    #[error(
        "the address of the repository leads to another one; give the final address, often the same with `.git` at its end"
    )]
    Redirected,
    #[error("there is no repository at this address, or it is private")]
    NotFound,
    #[error("the host asks for a user name and password; only public repositories can be cloned")]
    AuthRequired,
    #[error("there is no git repository at this address: {0}")]
    NotARepository(String),
    /// Git takes many a page that is no repository for an old server without branches.
    #[error(
        "there is no commit at this address: the repository or its default branch is empty, or the address is not that of a repository"
    )]
    Empty,
    #[error("the repository has damaged or dangerous objects: {0}")]
    Unsound(String),
    #[error("the host of the repository has a fault of its own: {0}")]
    ServerFault(String),
    #[error("the clone is larger than {max_bytes} bytes or {max_files} files")]
    TooLarge { max_bytes: u64, max_files: u64 },
    #[error("the clone was not done after {seconds} s")]
    TimedOut { seconds: u64 },
    #[error("the clone needs more than {max_bytes} bytes of memory")]
    OutOfMemory { max_bytes: u64 },
    #[error("the clone was cancelled")]
    Cancelled,
    #[error("git failed: {0}")]
    Git(String),
}

impl Error {
    /// Whether a later try may go better.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Address(address::Error::Resolve { source, .. }) => !names_nothing(source),
            Self::Address(address::Error::TimedOut { .. })
            | Self::Scratch(_)
            | Self::Sandbox(_)
            | Self::Unreachable(_)
            | Self::ServerFault(_)
            | Self::TimedOut { .. }
            | Self::Git(_) => true,
            Self::Address(address::Error::Refused { .. } | address::Error::NoAddress { .. })
            | Self::NotAllowed { .. }
            | Self::Missing { .. }
            | Self::Unreadable { .. }
            | Self::Url(_)
            | Self::GitMissing(_)
            | Self::Certificate(_)
            | Self::Redirected
            | Self::NotFound
            | Self::AuthRequired
            | Self::NotARepository(_)
            | Self::Empty
            | Self::Unsound(_)
            | Self::TooLarge { .. }
            | Self::OutOfMemory { .. }
            | Self::Cancelled => false,
        }
    }
}

/// The resolver of the system tells an unknown name from a failure by its text only.
fn names_nothing(error: &io::Error) -> bool {
    let text = error.to_string();
    text.contains("Name or service not known") || text.contains("No address associated")
}

/// What git's complaints mean. `said` is its stderr, in English, cleaned and masked.
pub(super) fn meaning(said: &[String]) -> Error {
    let text = said.join("\n");
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let line = || last_complaint(said);
    let status = text
        .split_once("requested URL returned error: ")
        .and_then(|(_, rest)| rest.get(..3)?.parse::<u16>().ok());
    match status {
        Some(300..=399) => return Error::Redirected,
        Some(401 | 403 | 407) => return Error::AuthRequired,
        Some(404 | 410) => return Error::NotFound,
        Some(429 | 500..=599) => return Error::ServerFault(line()),
        _ => {}
    }
    if has(&["could not read Username", "could not read Password", "Authentication failed"]) {
        Error::AuthRequired
    } else if has(&["/' not found", "' not found", "epository not found"]) {
        Error::NotFound
    } else if has(&["SSL certificate", "certificate verif", "server certificate", "SSL: no alt"]) {
        Error::Certificate(line())
    } else if has(&[
        "not valid: is this a git repository",
        "dumb http transport",
        "invalid server response",
        "protocol error: bad line length",
        "not a git repository",
    ]) {
        Error::NotARepository(line())
    } else if has(&["fsck error", "fsck failed", "object corrupt", "malicious path"])
        || said.iter().any(|line| line.starts_with("error: object "))
    {
        Error::Unsound(line())
    } else if has(&[
        "Could not resolve host",
        "Failed to connect",
        "Couldn't connect",
        "Connection refused",
        "Connection reset",
        "timed out",
        "Operation too slow",
        "Empty reply",
        "unexpected disconnect",
        "early EOF",
        "unable to access",
    ]) {
        Error::Unreachable(line())
    } else {
        Error::Git(line())
    }
}

fn last_complaint(said: &[String]) -> String {
    let fatal = said.iter().rev().find(|line| line.starts_with("fatal: "));
    let line = fatal.or(said.last()).map_or("it did not say why", String::as_str);
    line.strip_prefix("fatal: ").unwrap_or(line).to_owned()
}
