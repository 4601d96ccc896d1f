//! The views: their builds, and the change from one build to another.
//!
//! A rebuild is fed by the projector, beside the build that answers; reading it shows how far it
//! is. Queries are answered all the time.

mod error;
mod model;

use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use projections::{Differences, Generation, RebuildError, Terms};

use crate::{
    auth::PlatformCaller,
    command::{etag, pinned},
    document::Tag,
    done::Done,
    problem::Problem,
    read::Read,
    state::App,
};
use model::{ProjectionList, ProjectionView};

const COLLECTION: &str = "/v1/projections";

pub(crate) struct Projections {
    pub app: App,
}

#[OpenApi(tag = "Tag::Projections")]
impl Projections {
    /// List the views
    ///
    /// With every build and how far it is.
    #[oai(path = "/v1/projections", method = "get", operation_id = "list_projections")]
    async fn list(&self, _caller: PlatformCaller) -> Result<Read<ProjectionList>, Problem> {
        let builds = builds(&self.app).await?;
        let projections =
            projections::versions().map(|(name, _)| ProjectionView::of(name, &builds)).collect();
        Ok(Read::new(ProjectionList { projections }, head(&builds)))
    }

    /// Read a view
    ///
    /// Its `ETag` is the generation that answers queries.
    #[oai(path = "/v1/projections/:name", method = "get", operation_id = "get_projection")]
    async fn get(
        &self,
        _caller: PlatformCaller,
        name: Path<String>,
    ) -> Result<Read<ProjectionView>, Problem> {
        let name = known(&name.0)?;
        let builds = builds(&self.app).await?;
        let read = Read::new(ProjectionView::of(name, &builds), head(&builds));
        Ok(match live(name, &builds) {
            Some(generation) => read.versioned(etag(generation), None),
            None => read,
        })
    }

    /// Rebuild a view
    ///
    /// Begins a build beside the one that answers. It is `ready` when it has caught up.
    #[oai(
        path = "/v1/projections/:name/rebuild",
        method = "post",
        operation_id = "rebuild_projection"
    )]
    async fn rebuild(
        &self,
        caller: PlatformCaller,
        name: Path<String>,
    ) -> Result<Done<ProjectionView>, Problem> {
        let name = known(&name.0)?;
        let pool = self.app.journal.pool().clone();
        self.change(&caller, "rebuild_projection", name, async move {
            projections::rebuild(&pool, name).await.map(drop)
        })
        .await
    }

    /// Let the rebuilt view answer
    ///
    /// The build that answered until now stays as standby. One that has not caught up is refused,
    /// and so is one that holds other rows.
    #[oai(
        path = "/v1/projections/:name/switch",
        method = "post",
        operation_id = "switch_projection"
    )]
    async fn switch(
        &self,
        caller: PlatformCaller,
        name: Path<String>,
        /// Switch although the rebuilt rows are not those of the build that answers.
        accept_differences: Query<Option<bool>>,
        /// The `ETag` of the view: the generation that answers until now.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Done<ProjectionView>, Problem> {
        let (name, terms) = (known(&name.0)?, terms(if_match.0.as_deref())?);
        let accept = accept_differences.0.unwrap_or(false);
        let differences = if accept { Differences::Accept } else { Differences::Refuse };
        let pool = self.app.journal.pool().clone();
        self.change(&caller, "switch_projection", name, async move {
            projections::switch(&pool, name, differences, terms).await
        })
        .await
    }

    /// Let the former build answer again
    ///
    /// The one that answers now becomes the standby. Send `If-Match` to repeat it safely: without
    /// it a second rollback takes back the first.
    #[oai(
        path = "/v1/projections/:name/rollback",
        method = "post",
        operation_id = "rollback_projection"
    )]
    async fn rollback(
        &self,
        caller: PlatformCaller,
        name: Path<String>,
        /// The `ETag` of the view: the generation that answers until now.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Done<ProjectionView>, Problem> {
        let (name, terms) = (known(&name.0)?, terms(if_match.0.as_deref())?);
        let pool = self.app.journal.pool().clone();
        self.change(&caller, "rollback_projection", name, async move {
            projections::rollback(&pool, name, terms).await
        })
        .await
    }

    /// Give up a rebuild
    ///
    /// Drops the build that does not answer yet.
    #[oai(
        path = "/v1/projections/:name/cancel",
        method = "post",
        operation_id = "cancel_projection_rebuild"
    )]
    async fn cancel(
        &self,
        caller: PlatformCaller,
        name: Path<String>,
    ) -> Result<Done<ProjectionView>, Problem> {
        let name = known(&name.0)?;
        let pool = self.app.journal.pool().clone();
        self.change(&caller, "cancel_projection_rebuild", name, async move {
            projections::cancel_rebuild(&pool, name).await
        })
        .await
    }

    /// Drop the standby of a view
    ///
    /// After that there is nothing to roll back to, and the view can be rebuilt again.
    #[oai(
        path = "/v1/projections/:name/drop",
        method = "post",
        operation_id = "drop_projection_standby"
    )]
    async fn drop_standby(
        &self,
        caller: PlatformCaller,
        name: Path<String>,
    ) -> Result<Done<ProjectionView>, Problem> {
        let name = known(&name.0)?;
        let pool = self.app.journal.pool().clone();
        self.change(&caller, "drop_projection_standby", name, async move {
            projections::drop_standby(&pool, name).await
        })
        .await
    }
}

impl Projections {
    /// Carries it out and answers with the view as it is then.
    async fn change(
        &self,
        caller: &PlatformCaller,
        operation: &'static str,
        name: &'static str,
        work: impl Future<Output = Result<(), RebuildError>> + Send + 'static,
    ) -> Result<Done<ProjectionView>, Problem> {
        caller.carry_out(operation, name, work).await?;
        let builds = builds(&self.app).await?;
        let done = Done::new(ProjectionView::of(name, &builds), format!("{COLLECTION}/{name}"));
        Ok(done.tagged(live(name, &builds).map(etag)))
    }
}

async fn builds(app: &App) -> Result<Vec<Generation>, Problem> {
    projections::list(app.journal.pool()).await.map_err(|error| Problem::unavailable(&error))
}

fn known(name: &str) -> Result<&'static str, Problem> {
    let found = projections::versions().find(|(known, _)| *known == name);
    found.map(|(name, _)| name).ok_or_else(Problem::not_found)
}

/// The generation that answers the queries of this program.
fn live(name: &str, builds: &[Generation]) -> Option<u64> {
    let (_, version) = projections::versions().find(|(known, _)| *known == name)?;
    let is_live = |build: &&Generation| {
        build.name == name && build.version == version && build.status == projections::Status::Live
    };
    builds.iter().find(is_live).map(|build| build.generation.unsigned_abs().into())
}

/// Every build knows the end of the log.
fn head(builds: &[Generation]) -> u64 {
    builds.first().map_or(0, |build| build.head)
}

fn terms(if_match: Option<&str>) -> Result<Terms, Problem> {
    let live = if_match.map(pinned).transpose()?.flatten();
    // No generation has the number 0.
    let live = live.map(|generation| i32::try_from(generation).unwrap_or(0));
    Ok(Terms { live, ..Terms::default() })
}
