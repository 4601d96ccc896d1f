use domain::Timestamp;
use poem_openapi::{Enum, Object};
use projections::{Generation, Status};

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum BuildStatus {
    /// It catches up with the log.
    Building,
    /// It has caught up and may be switched to.
    Ready,
    /// It answers queries.
    Live,
    /// It was live before, and is kept up to date to go back to.
    Standby,
}

/// One build of a view.
#[derive(Debug, Object)]
#[oai(rename = "Build")]
pub(crate) struct BuildView {
    /// Version of the code that folds it.
    version: i32,
    /// Counts the builds of the version.
    generation: i32,
    status: BuildStatus,
    /// Everything up to here is in it.
    position: u64,
    /// Events of the log that are not in it yet.
    lag: u64,
    /// Of late.
    events_per_second: f64,
    /// Seconds until it has caught up, at the speed of late; left out when that cannot be told.
    #[oai(skip_serializing_if_is_none)]
    seconds_left: Option<u64>,
    /// Events that wait in the dead letters.
    dead_letters: u64,
    /// Why it does not go on, while it does not.
    #[oai(skip_serializing_if_is_none)]
    error: Option<String>,
    started_at: Timestamp,
    updated_at: Timestamp,
}

/// A view and its builds.
#[derive(Debug, Object)]
#[oai(rename = "Projection")]
pub(crate) struct ProjectionView {
    name: String,
    /// Oldest first, those of other versions of the program included.
    builds: Vec<BuildView>,
}

#[derive(Debug, Object)]
pub(crate) struct ProjectionList {
    pub projections: Vec<ProjectionView>,
}

impl ProjectionView {
    pub fn of(name: &str, builds: &[Generation]) -> Self {
        let builds = builds.iter().filter(|build| build.name == name).map(BuildView::from);
        Self { name: name.to_owned(), builds: builds.collect() }
    }
}

impl From<&Generation> for BuildView {
    fn from(build: &Generation) -> Self {
        Self {
            version: build.version,
            generation: build.generation,
            status: build.status.into(),
            position: build.position,
            lag: build.lag(),
            events_per_second: build.events_per_second,
            seconds_left: build.seconds_left(),
            dead_letters: build.dead_letters,
            error: build.error.clone(),
            started_at: build.started_at,
            updated_at: build.updated_at,
        }
    }
}

impl From<Status> for BuildStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Building => Self::Building,
            Status::Ready => Self::Ready,
            Status::Live => Self::Live,
            Status::Standby => Self::Standby,
        }
    }
}
