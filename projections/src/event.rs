//! An event on its way through the projections.

use std::{error::Error, sync::OnceLock};

use domain::{Event, Pii};
use journal::Recorded;

use crate::fault::Fault;

/// A recorded event, decoded at most once for all projections.
#[derive(Debug)]
pub(crate) struct LogEvent {
    pub recorded: Recorded,
    decoded: OnceLock<Result<Vec<Event>, String>>,
}

impl LogEvent {
    pub fn new(recorded: Recorded) -> Self {
        Self { recorded, decoded: OnceLock::new() }
    }

    /// Today's events for it, or why it cannot be read.
    pub fn decode(&self) -> Result<&[Event], &str> {
        let decoded = self
            .decoded
            .get_or_init(|| self.recorded.decode().map_err(|error| with_causes(&error)));
        match decoded {
            Ok(events) => Ok(events),
            Err(error) => Err(error),
        }
    }

    /// The same, for a projection that folds it.
    pub fn events(&self) -> Result<&[Event], Fault> {
        self.decode().map_err(|reason| Fault::event(self.position(), reason))
    }

    pub fn position(&self) -> u64 {
        self.recorded.position
    }

    /// Type and id.
    pub fn aggregate(&self) -> (&str, &str) {
        (&self.recorded.aggregate_type, &self.recorded.aggregate_id)
    }
}

/// An error in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// What a column of something personal holds. In the log it is always sealed.
pub(crate) fn sealed(value: &Pii<String>) -> Option<String> {
    value.as_sealed().map(ToString::to_string)
}

/// Text as Postgres can hold it: without the character NUL.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
