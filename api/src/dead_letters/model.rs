use domain::Timestamp;
use journal::Recorded;
use poem_openapi::Object;
use projections::dead_letters::{DeadLetter, LetterId, Missing, Replayed};

use crate::events::Envelope;

/// An event that is not in a view.
#[derive(Debug, Object)]
#[oai(rename = "DeadLetter")]
pub(crate) struct LetterView {
    /// The view and the position, `scans-17`.
    id: String,
    /// The view that misses the event.
    projection: String,
    /// Of the event in the log.
    position: u64,
    organization_id: String,
    aggregate_type: String,
    aggregate_id: String,
    event_type: String,
    /// The builds of the view that miss it, oldest first.
    builds: Vec<MissingView>,
}

/// Why an event is not in one build.
#[derive(Debug, Object)]
#[oai(rename = "MissingEvent")]
pub(crate) struct MissingView {
    version: i32,
    generation: i32,
    error: String,
    attempts: u32,
    /// It only waits behind an earlier event of its resource.
    parked: bool,
    at: Timestamp,
}

#[derive(Debug, Object)]
#[oai(rename = "DeadLetterPage")]
pub(crate) struct LetterPage {
    pub dead_letters: Vec<LetterView>,
    /// Left out on the last page.
    #[oai(skip_serializing_if_is_none)]
    pub next_cursor: Option<String>,
}

/// A dead letter with its event.
#[derive(Debug, Object)]
#[oai(rename = "DeadLetterDetail")]
pub(crate) struct LetterDetail {
    #[oai(flatten)]
    letter: LetterView,
    /// Left out when it belongs to another organisation than the key.
    #[oai(skip_serializing_if_is_none)]
    event: Option<Envelope>,
}

/// What a replay came to.
#[derive(Debug, Object)]
#[oai(rename = "Replay")]
pub(crate) struct ReplayView {
    /// The dead letter that was asked for.
    id: String,
    builds: Vec<ReplayedView>,
}

#[derive(Debug, Object)]
#[oai(rename = "ReplayedBuild")]
pub(crate) struct ReplayedView {
    generation: i32,
    /// Events of the resource that are in the build now.
    applied: u64,
    /// Events of the resource that still wait.
    left: u64,
}

impl LetterDetail {
    pub fn new(letter: DeadLetter, event: Option<&Recorded>) -> Self {
        Self { letter: letter.into(), event: event.map(Envelope::from) }
    }
}

impl ReplayView {
    pub fn new(id: &LetterId, replayed: Vec<Replayed>) -> Self {
        let builds = replayed.into_iter().map(|build| ReplayedView {
            generation: build.generation,
            applied: build.applied,
            left: build.left,
        });
        Self { id: id.to_string(), builds: builds.collect() }
    }
}

impl From<DeadLetter> for LetterView {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id.to_string(),
            projection: letter.id.projection,
            position: letter.id.position,
            organization_id: letter.org.to_string(),
            aggregate_type: letter.aggregate_type,
            aggregate_id: letter.aggregate_id,
            event_type: letter.event_type,
            builds: letter.builds.into_iter().map(MissingView::from).collect(),
        }
    }
}

impl From<Missing> for MissingView {
    fn from(missing: Missing) -> Self {
        Self {
            version: missing.version,
            generation: missing.generation,
            error: missing.error,
            attempts: missing.attempts,
            parked: missing.parked,
            at: missing.at,
        }
    }
}
