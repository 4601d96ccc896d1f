//! The job runtime and one folder for each kind of work.
//!
//! The dispatcher hands waiting jobs to the stream, fairly and a little ahead of what the workers
//! can run; the runtime runs them; the sweeper repairs what was lost on the way.

pub mod advisories;
pub mod audit;
pub mod checkout;
pub mod dispatcher;
mod hidden;
pub mod outbox;
mod queue;
pub mod runtime;
pub mod sandbox;
pub mod scans;
pub mod sweeper;

use std::error::Error;

use journal::{Bus, Journal, LogArchive, LogStream, jobs::JobStream};
use projections::Views;

/// What every role here works on. Cheap to clone.
#[derive(Clone)]
pub struct Backbone {
    pub journal: Journal,
    pub bus: Bus,
    pub jobs: JobStream,
    pub logs: LogStream,
    pub archive: LogArchive,
    pub views: Views,
}

/// An error with everything that led to it, for a line of log.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
