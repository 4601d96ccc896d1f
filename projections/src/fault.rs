//! Why events could not be applied, and whose fault it is.

use crate::event::with_causes;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The database could not do its work now. Nothing may be skipped for that.
    #[error("the database of the views failed")]
    Database(#[source] sqlx::Error),
    /// This event does not fit the view.
    #[error("event {position} cannot be applied: {reason}")]
    Event { position: u64, reason: String },
    /// One of the events made values that the database refuses; which one is not known.
    #[error("an event gives values that the database refuses: {0}")]
    Values(String),
}

impl Fault {
    pub fn event(position: u64, reason: impl Into<String>) -> Self {
        Self::Event { position, reason: reason.into() }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        if is_about_values(&error) {
            return Self::Values(with_causes(&error));
        }
        Self::Database(error)
    }
}

/// Classes 22 data exception, 23 integrity constraint violation, 54 program limit exceeded.
/// Everything else (connections, locks, timeouts, resources, missing tables, corruption) is no
/// fault of an event.
fn is_about_values(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| matches!(code.get(..2), Some("22" | "23" | "54")))
        }
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}
