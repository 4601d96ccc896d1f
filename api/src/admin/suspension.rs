//! Ending somebody's rights, and saying since when that holds everywhere.

use domain::{
    Decide,
    ids::{OrganizationId, UserId},
    jobs::JobKind,
    scans::{Scan, ScanCommand},
};
use futures::{StreamExt, TryStreamExt, stream};
use journal::{Actor, Context};
use projections::{
    jobs::{self, Whose},
    organizations,
};
use tokio::time::Instant;
use tracing::Instrument;

use super::model::Ended;
use crate::{auth::Caller, problem::Problem, state::App};

/// Jobs looked up at once, and cancelled at the same time.
const PAGE: u32 = 200;
const AT_ONCE: usize = 8;

/// Whose jobs are not to start.
#[derive(Debug, Clone, Copy)]
pub(super) enum Suspended {
    Person(UserId),
    Organization(OrganizationId),
}

/// A command that ends rights.
pub(super) struct Ending<A: Decide> {
    pub context: Context,
    /// Of the aggregate.
    pub id: String,
    pub command: A::Command,
}

impl<A: Decide> Ending<A>
where
    A::Command: 'static,
    Problem: From<A::Error>,
{
    /// Gives the command and waits until it holds on every replica. It goes on when the client leaves.
    pub async fn carry_out(self, app: &App) -> Result<Ended, Problem> {
        let since = Instant::now();
        let Self { context, id, command } = self;
        let committed = app.execute::<A>(context, id.clone(), command).await?;
        let held = app.revocations.hold(committed.position, since).await;
        Ok(Ended {
            id,
            position: committed.position,
            everywhere: held.everywhere,
            after_ms: u64::try_from(held.after.as_millis()).unwrap_or(u64::MAX),
            replicas: held.replicas,
            jobs_cancelled: 0,
        })
    }

    /// The same, and cancels what has not started. Nobody asks for more by then.
    pub async fn carry_out_with_jobs(
        self,
        app: &App,
        caller: Caller,
        suspended: Suspended,
    ) -> Result<Ended, Problem> {
        let app = app.clone();
        let work = async move {
            let ended = self.carry_out(&app).await?;
            let whose = suspended.whose(&app).await?;
            let jobs_cancelled = cancel_waiting(&app, &caller, &whose).await?;
            Ok(Ended { jobs_cancelled, ..ended })
        };
        match tokio::spawn(work.in_current_span()).await {
            Ok(ended) => ended,
            Err(aborted) => Err(Problem::internal(&aborted)),
        }
    }
}

impl Suspended {
    /// Somebody asks for jobs as themselves and by their keys.
    async fn whose(self, app: &App) -> Result<Whose, Problem> {
        let user = match self {
            Self::Person(user) => user,
            Self::Organization(org) => return Ok(Whose::Organization(org)),
        };
        let head = app.journal.head().await.map_err(|error| Problem::unavailable(&error))?;
        let view = app.views.open(organizations::NAME, Some(head), app.options.max_wait).await?;
        let keys = organizations::keys_of(&view, user).await?.into_iter().map(Actor::ApiKey);
        let actors = [Actor::User(user)].into_iter().chain(keys);
        Ok(Whose::Requesters(actors.map(|actor| actor.to_string()).collect()))
    }
}

async fn cancel_waiting(app: &App, caller: &Caller, whose: &Whose) -> Result<u32, Problem> {
    let mut cancelled = 0;
    loop {
        // What was cancelled in the round before is in the view then.
        let head = app.journal.head().await.map_err(|error| Problem::unavailable(&error))?;
        let view = app.views.open(jobs::NAME, Some(head), app.options.max_wait).await?;
        let waiting = jobs::waiting(&view, whose, PAGE).await?;
        if waiting.is_empty() {
            return Ok(cancelled);
        }
        cancelled += waiting.len() as u32;
        let cancelling = waiting.into_iter().map(|job| cancel(app, caller, job));
        stream::iter(cancelling).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    }
}

async fn cancel(
    app: &App,
    caller: &Caller,
    (org, kind, id): (OrganizationId, JobKind, String),
) -> Result<(), Problem> {
    let caller = Caller { org, ..caller.clone() };
    let context = caller.context(app.journal.clock().new_id());
    match kind {
        JobKind::Scan => {
            let command = ScanCommand::RequestCancel { now: app.journal.clock().now() };
            app.execute::<Scan>(context, id.clone(), command).await?;
        }
    }
    // It may have started in this moment.
    if let Err(error) = app.jobs.signal_cancel(&id).await {
        tracing::debug!(%error, id, "the worker was not told of a cancellation");
    }
    Ok(())
}
