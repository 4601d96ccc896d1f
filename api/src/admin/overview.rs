use domain::jobs::JobKind;
use poem_openapi::OpenApi;
use projections::{
    Generation, Status,
    jobs::{self, JobStatus, system::Depth},
    organizations, users,
};

use super::model::{JobsView, LagView, OverviewView};
use crate::{
    auth::PlatformCaller,
    document::Tag,
    problem::Problem,
    read::{Freshness, Read},
    state::App,
};

pub(crate) struct Overview {
    pub app: App,
}

#[OpenApi(tag = "Tag::Administration")]
impl Overview {
    /// See how the installation stands
    #[oai(path = "/v1/admin/overview", method = "get", operation_id = "get_overview")]
    async fn get(
        &self,
        _caller: PlatformCaller,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<OverviewView>, Problem> {
        let app = &self.app;
        let view = fresh.open(app, users::NAME).await?;
        let (users, users_suspended) = users::count(&view).await?;
        let of_organizations = fresh.open(app, organizations::NAME).await?;
        let (organizations, organizations_suspended) =
            organizations::count(&of_organizations).await?;
        let of_jobs = fresh.open(app, jobs::NAME).await?;
        let depth = jobs::system::depth(&of_jobs).await?;
        let builds = projections::list(app.journal.pool()).await;
        let builds = builds.map_err(|error| Problem::unavailable(&error))?;
        let overview = OverviewView {
            users,
            users_suspended,
            organizations,
            organizations_suspended,
            jobs: JobKind::ALL.into_iter().map(|kind| of_kind(kind, &depth)).collect(),
            position: builds.iter().map(|build| build.head).max().unwrap_or(0),
            views: builds.iter().filter(|b| b.status == Status::Live).map(LagView::from).collect(),
            replicas: app.revocations.replicas(),
            streams: app.streams.count(),
        };
        Ok(Read::new(overview, view.position()))
    }
}

fn of_kind(kind: JobKind, depth: &[Depth]) -> JobsView {
    let count = |status| {
        let those = depth.iter().filter(|depth| depth.kind == kind && depth.status == status);
        those.map(|depth| depth.jobs).sum()
    };
    JobsView {
        kind: kind.as_str().to_owned(),
        queued: count(JobStatus::Queued),
        running: count(JobStatus::Running),
    }
}

impl From<&Generation> for LagView {
    fn from(build: &Generation) -> Self {
        Self {
            name: build.name.clone(),
            position: build.position,
            behind: build.lag(),
            dead_letters: build.dead_letters,
        }
    }
}
