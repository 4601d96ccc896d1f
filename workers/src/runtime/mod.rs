//! Takes jobs from the stream and runs them; written once for every kind of work.
//!
//! A message is only a pointer to an attempt. The attempt is claimed by a command that succeeds
//! once, with a fresh fence, and every later report carries that fence: a message that comes late
//! or twice is acknowledged and forgotten. While a handler runs, one task renews its lease and
//! tells JetStream that it is alive; when the lease cannot be renewed the handler is cancelled,
//! because somebody else may hold the job by then. What a handler did not finish becomes a retry,
//! a failure, a cancellation or an abandoned attempt, always as an event.

mod aggregate;
mod attempt;
mod backoff;
mod claim;
mod ending;
mod handler;
mod lease;
mod log;
mod registration;
mod signals;
mod slot;
pub(crate) mod tell;
mod watchdog;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use futures::StreamExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use aggregate::{JobAggregate, Standing};
pub use backoff::Backoff;
pub(crate) use ending::deadline_reason;
pub use handler::{Handler, JobContext, JobError};
pub use log::JobLog;
pub use registration::alive;
use signals::Signals;

use crate::Backbone;

/// How the jobs of one kind are run by this process.
#[derive(Debug, Clone)]
pub struct Options {
    /// Unique among the workers that are alive.
    pub worker: String,
    /// Jobs that run at the same time.
    pub concurrency: usize,
    /// A worker that gives no sign of life for so long has lost its jobs.
    pub lease: Duration,
    /// How long running jobs may go on after a shutdown was asked for.
    pub drain_grace: Duration,
    /// How long a cancelled handler may take to end before it is dropped.
    pub cancel_grace: Duration,
    /// Between the attempts of one job.
    pub retry: Backoff,
    /// Messages that wait so long without being delivered mean a broken consumer.
    pub stall: Duration,
    /// A number from 0 to 1 by chance.
    pub chance: fn() -> f64,
    /// Makes a job's span a part of the trace that a W3C `traceparent` names.
    pub trace_link: Option<fn(&tracing::Span, &str)>,
}

impl Options {
    pub fn new(worker: String) -> Self {
        Self {
            worker,
            concurrency: 2,
            lease: Duration::from_secs(15),
            drain_grace: Duration::from_secs(20),
            cancel_grace: Duration::from_secs(5),
            retry: Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(300) },
            stall: Duration::from_secs(30),
            chance: rand::random::<f64>,
            trace_link: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a task of the worker ended before its time")]
    Task(#[source] tokio::task::JoinError),
}

struct Runtime<H> {
    backbone: Backbone,
    handler: Arc<H>,
    options: Options,
    stop: CancellationToken,
    signals: Signals,
    /// Slots that wait for a message.
    waiting: AtomicUsize,
}

/// Runs jobs of the handler's kind until it is told to stop; then no new one is taken, running ones
/// get their grace, and what has not ended by then is given back.
pub async fn run<H: Handler>(
    backbone: Backbone,
    handler: H,
    options: Options,
    stop: CancellationToken,
) -> Result<(), Error> {
    let runtime = Arc::new(Runtime {
        backbone,
        handler: Arc::new(handler),
        options,
        stop,
        signals: Signals::default(),
        waiting: AtomicUsize::new(0),
    });
    // The helpers of the slots end with this function, also when it is dropped.
    let mut helpers = JoinSet::new();
    helpers.spawn(hear_cancellations(runtime.backbone.clone(), runtime.signals.clone()));
    helpers.spawn(watchdog::run(Arc::clone(&runtime)));
    let mut slots = JoinSet::new();
    slots.spawn(registration::keep(
        runtime.backbone.journal.pool().clone(),
        runtime.options.worker.clone(),
        H::Aggregate::KIND,
        runtime.options.concurrency,
        runtime.options.lease,
        runtime.stop.clone(),
    ));
    for _ in 0..runtime.options.concurrency {
        slots.spawn(slot::run(Arc::clone(&runtime)));
    }
    while let Some(ended) = slots.join_next().await {
        ended.map_err(Error::Task)?;
    }
    Ok(())
}

async fn hear_cancellations(backbone: Backbone, signals: Signals) {
    const PAUSE: Duration = Duration::from_secs(2);
    loop {
        match backbone.jobs.cancellations().await {
            Ok(mut jobs) => {
                while let Some(job) = jobs.next().await {
                    signals.ring(&job);
                }
            }
            Err(error) => tracing::warn!(%error, "signals of cancellation cannot be heard"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
