use uuid::Uuid;

use crate::ReadError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the log could not be read")]
    Log(#[from] ReadError),
    #[error("the log's database failed")]
    Database(#[from] sqlx::Error),
    #[error("{action} failed")]
    Nats {
        action: &'static str,
        #[source]
        source: async_nats::Error,
    },
    #[error("the stream does not take events: {0}")]
    Rejected(String),
    #[error(
        "stream {stream} belongs to {owner}, not to this log: choose another prefix, or rebuild \
         the stream to give it up"
    )]
    OtherLog { stream: String, owner: String },
    #[error(
        "the stream reaches position {last}, but the log ends at {head}: an older log was \
         restored; rebuild the stream to start a new epoch"
    )]
    Ahead { last: u64, head: u64 },
    #[error(
        "at position {position} the stream holds event {found}, but the log holds {expected}: \
         rebuild the stream to start a new epoch"
    )]
    Forked { position: u64, found: String, expected: Uuid },
    #[error(
        "the stream is of epoch {stream}, but the log is only at {log}: an older log was \
         restored; rebuild the stream to start a new epoch"
    )]
    LaterEpoch { stream: i32, log: i32 },
}

impl Error {
    pub(super) fn nats(
        action: &'static str,
    ) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Self {
        move |source| Self::Nats { action, source }
    }

    /// The stream does not belong to this log as it is. Only an operator can say which of the two
    /// is right, so nothing is published.
    pub fn needs_operator(&self) -> bool {
        matches!(
            self,
            Self::OtherLog { .. }
                | Self::Ahead { .. }
                | Self::Forked { .. }
                | Self::LaterEpoch { .. }
        )
    }
}
