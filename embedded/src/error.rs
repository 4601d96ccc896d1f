use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} {path}")]
    File {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "data directory {0} is in use by another process: stop it, or choose another data directory"
    )]
    InUse(PathBuf),
    #[error("{program} was not found {searched}: run `make bootstrap`, or set {option}")]
    NotFound { program: &'static str, searched: &'static str, option: &'static str },
    #[error("{path} is version {found}, and {floor} or newer is needed: run `make bootstrap`")]
    TooOld { path: PathBuf, found: String, floor: &'static str },
    #[error("cannot tell the version of {path}: it answered `{answer}`")]
    UnknownVersion { path: PathBuf, answer: String },
    #[error(
        "{data} was made by Postgres {wanted}, which is not installed (found: {found}): \
         install it, or dump and restore into a new data directory"
    )]
    OtherMajor { data: PathBuf, wanted: u32, found: String },
    #[error(
        "running as root, and neither user postgres nor user nobody exists to run the servers as"
    )]
    NoServiceUser,
    #[error("{path} is not a folder of user {user} alone: remove it or give it back")]
    NotPrivate { path: PathBuf, user: String },
    #[error("cannot start {program}")]
    Spawn {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("{program} ended while starting ({status}): {tail}")]
    EndedEarly { program: &'static str, status: String, tail: String },
    #[error("{program} was not ready after {}s: {tail}", after.as_secs())]
    NotReady { program: &'static str, after: Duration, tail: String },
    #[error("{program} left running by an earlier process (pid {pid}) could not be stopped")]
    Orphan {
        program: &'static str,
        pid: i32,
        #[source]
        source: Option<io::Error>,
    },
    #[error("{program} ended ({status}) more than {restarts} times in a row: see {log}")]
    KeepsEnding { program: &'static str, status: String, restarts: u32, log: PathBuf },
}

impl Error {
    /// Adapts an I/O error: `.map_err(Error::file("create", &path))`.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
