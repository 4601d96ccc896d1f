//! Between the resources and the types of the rules.

use domain::scans::{self, RepositorySource};
use projections::scans::{EngineProgress, EngineStatus, ScanRow};

use super::model::{
    Counts, Engine, EngineState, EngineView, Profile, ScanRequest, ScanView, State, Target,
    TargetKind, Warning,
};
use crate::problem::{Code, Problem};

impl ScanRequest {
    /// What the rules work with. Only the form is checked here.
    pub fn into_parts(
        self,
    ) -> Result<(scans::Target, Option<Vec<scans::Engine>>, scans::Profile), Problem> {
        let engines = self.engines.map(|engines| engines.into_iter().map(Into::into).collect());
        let profile = self.profile.map_or(scans::Profile::Quick, Into::into);
        Ok((self.target.try_into()?, engines, profile))
    }
}

impl TryFrom<Target> for scans::Target {
    type Error = Problem;

    fn try_from(target: Target) -> Result<Self, Problem> {
        let refused = |field: &str, message: &str| {
            Problem::new(Code::ValidationFailed, message).at(field, message)
        };
        match (target.kind, target.url, target.path) {
            (_, Some(_), Some(_)) => {
                Err(refused("target.path", "a target has either a url or a path, not both"))
            }
            (TargetKind::Repository, Some(url), None) => {
                Ok(Self::Repository { source: RepositorySource::Url(url) })
            }
            (TargetKind::Repository, None, Some(path)) => {
                Ok(Self::Repository { source: RepositorySource::Path(path) })
            }
            (TargetKind::Repository, None, None) => {
                Err(refused("target.url", "a repository needs a url or a path"))
            }
            (TargetKind::Website, Some(url), None) => Ok(Self::Website { url }),
            (TargetKind::Website, None, Some(_)) => {
                Err(refused("target.path", "a website has no path; put it into the url"))
            }
            (TargetKind::Website, None, None) => {
                Err(refused("target.url", "a website needs a url"))
            }
        }
    }
}

impl From<scans::Target> for Target {
    fn from(target: scans::Target) -> Self {
        match target {
            scans::Target::Repository { source: RepositorySource::Url(url) } => {
                Self { kind: TargetKind::Repository, url: Some(url), path: None }
            }
            scans::Target::Repository { source: RepositorySource::Path(path) } => {
                Self { kind: TargetKind::Repository, url: None, path: Some(path) }
            }
            scans::Target::Website { url } => {
                Self { kind: TargetKind::Website, url: Some(url), path: None }
            }
        }
    }
}

impl From<Engine> for scans::Engine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Secrets => Self::Secrets,
            Engine::Dependencies => Self::Dependencies,
            Engine::Website => Self::Website,
        }
    }
}

impl From<scans::Engine> for Engine {
    fn from(engine: scans::Engine) -> Self {
        match engine {
            scans::Engine::Secrets => Self::Secrets,
            scans::Engine::Dependencies => Self::Dependencies,
            scans::Engine::Website => Self::Website,
        }
    }
}

impl From<Profile> for scans::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Quick => Self::Quick,
            Profile::Full => Self::Full,
        }
    }
}

impl From<scans::Profile> for Profile {
    fn from(profile: scans::Profile) -> Self {
        match profile {
            scans::Profile::Quick => Self::Quick,
            scans::Profile::Full => Self::Full,
        }
    }
}

impl From<State> for scans::ScanStatus {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Running => Self::Running,
            State::Completed => Self::Completed,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
        }
    }
}

impl From<scans::ScanStatus> for State {
    fn from(state: scans::ScanStatus) -> Self {
        match state {
            // A scan without events is in no view.
            scans::ScanStatus::New | scans::ScanStatus::Queued => Self::Queued,
            scans::ScanStatus::Running => Self::Running,
            scans::ScanStatus::Completed => Self::Completed,
            scans::ScanStatus::Failed => Self::Failed,
            scans::ScanStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl From<EngineStatus> for EngineState {
    fn from(status: EngineStatus) -> Self {
        match status {
            EngineStatus::Waiting => Self::Waiting,
            EngineStatus::Running => Self::Running,
            EngineStatus::Completed => Self::Completed,
            EngineStatus::Partial => Self::Partial,
            EngineStatus::Failed => Self::Failed,
            EngineStatus::Stopped => Self::Stopped,
        }
    }
}

impl From<scans::SeverityCounts> for Counts {
    fn from(counts: scans::SeverityCounts) -> Self {
        let scans::SeverityCounts { critical, high, medium, low, info } = counts;
        Self { critical, high, medium, low, info }
    }
}

impl From<scans::Warning> for Warning {
    fn from(warning: scans::Warning) -> Self {
        let scans::Warning { code, message, engine } = warning;
        Self { code, message, engine: engine.map(Into::into) }
    }
}

impl From<EngineProgress> for EngineView {
    fn from(progress: EngineProgress) -> Self {
        Self {
            engine: progress.engine.into(),
            state: progress.status.into(),
            findings: progress.findings,
            summary: progress.summary,
            started_at: progress.started_at,
            finished_at: progress.finished_at,
        }
    }
}

impl From<ScanRow> for ScanView {
    fn from(row: ScanRow) -> Self {
        let duration_ms = row
            .started_at
            .zip(row.finished_at)
            .map(|(started, finished)| (finished - started).num_milliseconds());
        Self {
            id: row.id.to_string(),
            state: row.state.into(),
            target: row.target.into(),
            profile: row.profile.into(),
            attempt: row.attempt,
            complete: row.complete,
            cancel_requested: row.cancel_requested,
            counts: row.counts.into(),
            suppressed: row.suppressed,
            findings: row.findings,
            engines: row.engines.into_iter().map(Into::into).collect(),
            warnings: row.warnings.into_iter().map(Into::into).collect(),
            reason: row.reason,
            queue_place: None,
            requested_by: row.requested_by,
            requested_at: row.requested_at,
            not_before: row.not_before,
            started_at: row.started_at,
            finished_at: row.finished_at,
            duration_ms,
            version: row.sequence,
            position: row.position,
        }
    }
}
