use std::{ops::Deref, sync::Arc, time::Duration};

use domain::Decide;
use journal::{
    Bus, Committed, Context, ExecuteError, Journal, LogArchive, LogStream, jobs::JobStream,
};
use metrics_exporter_prometheus::PrometheusHandle;
use poem::Request;
use projections::Views;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    Options,
    accounts::{Desk, DeskCell},
    address_blocks::Door,
    auth::{KeyCache, MemberCache, Uses},
    health::Check,
    limits::Limits,
    live::Slots,
    policies::PolicyCache,
    problem::Problem,
    revocations::Revocations,
    routes::Routes,
};

/// Takes the span of a request and its `traceparent`.
pub type TraceLink = fn(&tracing::Span, &str);

/// Everything the front end works with.
#[derive(Clone)]
pub struct ApiState {
    pub journal: Journal,
    pub views: Views,
    pub bus: Bus,
    /// Output of running jobs.
    pub logs: LogStream,
    /// Output of ended jobs.
    pub archive: LogArchive,
    /// Where running jobs are told to end.
    pub jobs: JobStream,
    pub metrics: PrometheusHandle,
    /// Where the secrets of new keys come from.
    pub random: fn() -> [u8; 32],
    /// Makes the span of a request a part of the trace that the client is in.
    pub trace_link: Option<TraceLink>,
    /// What readiness asks beside Postgres, NATS and the projections.
    pub checks: Vec<Check>,
    pub options: Options,
}

/// The state together with what the front end itself keeps. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    state: ApiState,
    pub routes: Routes,
    pub policies: PolicyCache,
    pub keys: KeyCache,
    pub members: MemberCache,
    pub uses: Uses,
    desk: DeskCell,
    pub limits: Limits,
    pub door: Door,
    pub streams: Slots,
    pub revocations: Revocations,
    /// Live streams end when it is cancelled.
    pub stop: CancellationToken,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Deref for Inner {
    type Target = ApiState;

    fn deref(&self) -> &ApiState {
        &self.state
    }
}

impl App {
    pub fn new(state: ApiState, routes: Routes, stop: CancellationToken) -> Self {
        let options = &state.options;
        Self(Arc::new(Inner {
            routes,
            policies: PolicyCache::new(),
            keys: KeyCache::new(),
            members: MemberCache::new(),
            uses: Uses::default(),
            desk: DeskCell::default(),
            door: Door::default(),
            limits: Limits::new(options.limits.clone()),
            streams: Slots::new(options.max_streams, options.streams_per_key, stop.clone()),
            revocations: Revocations::default(),
            state,
            stop,
        }))
    }

    /// The application that serves the request.
    pub fn of(request: &Request) -> Option<&Self> {
        request.data()
    }

    /// What accounts need.
    pub async fn desk(&self) -> Result<&Desk, Problem> {
        self.desk.get(self).await
    }

    /// The same, if anything has needed it yet.
    pub fn open_desk(&self) -> Option<&Desk> {
        self.desk.get_open()
    }

    /// Carries out a command. It is finished even when the client goes away meanwhile.
    pub async fn execute<A>(
        &self,
        context: Context,
        id: String,
        command: A::Command,
    ) -> Result<Committed, Problem>
    where
        A: Decide,
        A::Command: 'static,
        Problem: From<A::Error>,
    {
        let journal = self.journal.clone();
        let work = async move { journal.execute::<A>(&context, &id, command).await };
        match tokio::spawn(work.in_current_span()).await {
            Ok(result) => result.map_err(refusal),
            Err(aborted) => Err(Problem::internal(&aborted)),
        }
    }

    /// How long a read may wait for its view: what the client asked for, within bounds.
    pub fn wait(&self, asked: Option<Duration>) -> Duration {
        asked.unwrap_or(self.options.default_wait).min(self.options.max_wait)
    }
}

fn refusal<E: std::error::Error + 'static>(error: ExecuteError<E>) -> Problem
where
    Problem: From<E>,
{
    use crate::problem::Code;
    match error {
        ExecuteError::Refused(error) => error.into(),
        error @ ExecuteError::OutsideItsKind { .. } => Problem::internal(&error),
        ExecuteError::OtherOrganization => Problem::not_found(),
        // An aggregate without events does not exist, whatever version was pinned.
        ExecuteError::VersionMismatch { actual: 0, .. } => Problem::not_found(),
        ExecuteError::VersionMismatch { expected, actual } => Problem::new(
            Code::VersionMismatch,
            format!("the resource is at version {actual}, not at version {expected}"),
        ),
        ExecuteError::Append(error) => error.into(),
        ExecuteError::Personal(error) => error.into(),
        ExecuteError::Load(error) => error.into(),
        ExecuteError::Encode(error) => Problem::internal(&error),
    }
}
