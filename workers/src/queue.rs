//! The queue, as its view shows it.

use std::time::Duration;

use domain::Service;
use journal::{Actor, Context};
use projections::{
    QueryError, View, ViewError, Views,
    jobs::{self, JobRow, system},
};
use uuid::Uuid;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// The queue as it is now.
pub(crate) async fn open(views: &Views) -> Result<View, ViewError> {
    views.open(jobs::NAME, None, Duration::ZERO).await
}

/// The same, after waiting for it to show what the log holds up to `position`, at most `wait`.
pub(crate) async fn open_at(
    views: &Views,
    position: u64,
    wait: Duration,
) -> Result<View, ViewError> {
    match views.open(jobs::NAME, Some(position), wait).await {
        Err(ViewError::Stale { .. }) => open(views).await,
        opened => opened,
    }
}

/// A job that has not ended, of any organisation.
pub(crate) async fn get(views: &Views, job: &str) -> Result<Option<JobRow>, Error> {
    Ok(system::get(&open(views).await?, job).await?)
}

/// Under this name what an attempt has written says which one it was.
const FENCE: &str = "fence";

/// For commands that go on with what put the job into the queue, for whoever asked for it.
pub(crate) fn context(job: &JobRow, service: Service) -> Context {
    let mut context =
        Context::new(job.org, Actor::System(service), job.correlation_id).caused_by(job.event_id);
    context.on_behalf_of = job.requested_by.parse().ok();
    context.metadata = job.metadata.clone();
    // It may have been put there by an earlier attempt.
    context.metadata.remove(FENCE);
    context
}

/// For commands of the attempt that holds this fence.
pub(crate) fn context_of_attempt(job: &JobRow, fence: Uuid) -> Context {
    let mut context = context(job, Service::Worker);
    context.metadata.insert(FENCE.to_owned(), fence.to_string());
    context
}
