use super::{Engine, TargetError};

/// Why a command on a scan is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    #[error("there is no such scan")]
    NotFound,
    #[error("a scan with this id exists already")]
    Exists,
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("the engine `{engine}` cannot look at a target of kind `{target}`")]
    EngineDoesNotFit { engine: Engine, target: &'static str },
    #[error("the list of engines is empty; leave it out to run every engine that fits")]
    NoEngines,
    #[error("the scan has already ended as {0}")]
    Ended(&'static str),
    #[error(
        "this attempt is not the current one; another worker holds the scan or it is not running"
    )]
    StaleAttempt,
    #[error("the scan is not waiting for attempt {0}")]
    NotWaiting(u32),
    #[error("the engine `{0}` is not running in this attempt")]
    EngineNotRunning(Engine),
    #[error("batch {given} of the engine `{engine}` is out of order; the next is {expected}")]
    BatchOutOfOrder { engine: Engine, given: u32, expected: u32 },
    #[error("a batch holds at most {max} findings and {given} were given")]
    BatchTooLarge { given: usize, max: usize },
    #[error("the engine `{0}` has not finished")]
    EngineUnfinished(Engine),
}
