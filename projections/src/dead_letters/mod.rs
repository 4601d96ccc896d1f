//! Events that a build could not apply, and those that wait behind them.

mod id;
mod query;
mod replay;

use domain::{Timestamp, ids::OrganizationId};
use journal::ReadError;

pub use id::{BadLetterId, LetterId};
pub use query::{list, show};
pub use replay::{Replayed, discard, replay};

/// An event that is not in a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub id: LetterId,
    /// Whose event it is.
    pub org: OrganizationId,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub event_type: String,
    /// The builds that it is missing in, oldest first.
    pub builds: Vec<Missing>,
}

/// Why an event is not in one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub version: i32,
    pub generation: i32,
    pub error: String,
    pub attempts: u32,
    /// It only waits behind an earlier event of its aggregate.
    pub parked: bool,
    pub at: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    #[error("no event at position {} waits in dead_letters of {}", .0.position, .0.projection)]
    NotFound(LetterId),
    #[error(
        "the event at position {position} only waits behind an earlier one of its aggregate; replay or discard that one"
    )]
    Parked { position: u64 },
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    #[error("the database of the views failed")]
    Database(#[from] sqlx::Error),
}
