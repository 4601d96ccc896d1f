//! Copies the log to the stream `EVENTS`, where sequence is position by construction.
//!
//! What the stream holds is asked of the stream, at the start and whenever anything is in doubt;
//! then publishing goes on from there. Any number of relays may run: the stream takes each event
//! once, and whoever loses a race stands by until the other one stands still. A stream that is not
//! the copy of this log is left alone until an operator has it rebuilt.

mod consumers;
mod error;
mod footing;
mod log;
pub mod message;
mod pipeline;
mod source;
mod standby;
mod stream;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    consumers::Lost,
    footing::Footing,
    pipeline::{Ended, Pipeline},
    stream::Standing,
};
use crate::{Bus, Journal};

pub use error::Error;

/// Rests between two looks at the stream after trouble; they double up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(2);
/// Two lost races within this time mean that another relay is at work.
const RACE_WINDOW: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// Events that are sent before the first of them is acknowledged.
    pub window: usize,
    /// What the stream may take on disk; then its oldest messages go. All are kept when absent.
    pub max_bytes: Option<u64>,
    /// An acknowledgement that takes longer is lost.
    pub ack_timeout: Duration,
    /// Time between two looks at a stream that belongs to another log.
    pub recheck: Duration,
    /// Another relay that stands still for so long, up to twice, is taken over from.
    pub takeover: Duration,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            window: 1024,
            max_bytes: None,
            ack_timeout: Duration::from_secs(5),
            recheck: Duration::from_secs(5),
            takeover: Duration::from_secs(1),
        }
    }
}

/// Stream and log side by side.
#[derive(Debug)]
pub struct Status {
    pub log_id: Uuid,
    pub epoch: i32,
    /// Last position of the log.
    pub head: u64,
    /// Last position in the stream; `None` when there is no stream.
    pub last: Option<u64>,
    /// What is wrong with the stream when a running relay will make it again.
    pub broken: Option<&'static str>,
    /// Why nothing is published until an operator decides.
    pub refusal: Option<Error>,
}

struct Relay {
    journal: Journal,
    bus: Bus,
    options: RelayOptions,
    lost: Lost,
    /// The position up to which the stream was last known to hold the log.
    held: AtomicU64,
}

/// What the metric `relay_state` says.
#[derive(Clone, Copy)]
enum State {
    Stopped = 0,
    Publishing = 1,
    Standby = 2,
    Retrying = 3,
    Refusing = 4,
}

impl State {
    fn show(self) {
        metrics::gauge!("relay_state").set(f64::from(self as u8));
    }
}

/// Relays until it is told to stop. Trouble is waited out; only a corrupt log is an error.
pub async fn run(
    journal: Journal,
    bus: Bus,
    mut options: RelayOptions,
    stop: CancellationToken,
) -> Result<(), Error> {
    options.window = options.window.max(1);
    let relay = Relay { journal, bus, options, lost: Lost::default(), held: AtomicU64::default() };
    let ended = relay.run(&stop).await;
    State::Stopped.show();
    ended
}

/// Gives up the stream, whatever it holds, and makes an empty one of the next epoch, which running
/// relays then fill from the log. Its consumers are gone with it. Returns the epoch.
pub async fn rebuild(journal: &Journal, bus: &Bus) -> Result<i32, Error> {
    let identity = log::raise_epoch(journal.pool()).await?;
    stream::delete(bus).await?;
    if let Err(error) = stream::create(bus, stream::config(bus, identity, None)).await {
        // A relay that knew the earlier epoch may have been quicker; it finishes the rebuild.
        tracing::warn!(%error, "the stream is left to the relay");
    }
    Ok(identity.epoch)
}

/// Compares the stream with the log and changes nothing.
pub async fn status(journal: &Journal, bus: &Bus) -> Result<Status, Error> {
    let identity = log::identity(journal.pool()).await?;
    let (mut last, mut broken, mut refusal) = (None, None, None);
    if let Some(stream) = stream::find(bus).await? {
        last = Some(stream.cached_info().state.last_sequence);
        match stream::compare(journal, &stream, stream.cached_info(), identity).await {
            Ok(Standing::Sound) => {}
            Ok(Standing::Broken(why)) => broken = Some(why),
            Err(error) if error.needs_operator() => refusal = Some(error),
            Err(error) => return Err(error),
        }
    }
    let head = journal.head().await?;
    Ok(Status { log_id: identity.log_id, epoch: identity.epoch, head, last, broken, refusal })
}

impl Relay {
    async fn run(&self, stop: &CancellationToken) -> Result<(), Error> {
        let mut pause = FIRST_PAUSE;
        let mut raced_at: Option<Instant> = None;
        let mut refused = String::new();
        loop {
            let rest = match self.publish(stop, &mut pause).await {
                Ok(Ended::Stopped) => return Ok(()),
                Ok(Ended::Conflict) => {
                    refused.clear();
                    if raced_at.replace(Instant::now()).is_some_and(|at| at.elapsed() < RACE_WINDOW)
                    {
                        State::Standby.show();
                        tokio::select! {
                            () = standby::wait(self) => {}
                            () = stop.cancelled() => return Ok(()),
                        }
                    }
                    FIRST_PAUSE
                }
                Ok(Ended::Unsure(why)) => {
                    refused.clear();
                    State::Retrying.show();
                    tracing::warn!(why, "the relay looks at the stream again");
                    next(&mut pause)
                }
                Err(error @ Error::Log(crate::ReadError::Hole { .. })) => return Err(error),
                Err(error) if error.needs_operator() => {
                    State::Refusing.show();
                    let reason = error.to_string();
                    if refused != reason {
                        tracing::error!(reason, "nothing is published");
                        refused = reason;
                    }
                    self.options.recheck
                }
                Err(error) => {
                    State::Retrying.show();
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, cause, "the relay tries again");
                    next(&mut pause)
                }
            };
            self.show_lag(self.held.load(Ordering::Relaxed));
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Shows how far the stream, which holds the log up to `held`, is behind it.
    fn show_lag(&self, held: u64) {
        self.held.store(held, Ordering::Relaxed);
        let lag = self.journal.watch_head().borrow().saturating_sub(held);
        metrics::gauge!("relay_lag_positions").set(lag as f64);
    }

    /// One session: finds out where the stream is and publishes from there.
    async fn publish(
        &self,
        stop: &CancellationToken,
        pause: &mut Duration,
    ) -> Result<Ended, Error> {
        let disconnects = self.bus.disconnects();
        let footing = tokio::select! {
            footing = footing::find(self) => footing?,
            () = stop.cancelled() => return Ok(Ended::Stopped),
        };
        State::Publishing.show();
        tracing::info!(position = footing.last, epoch = footing.identity.epoch, "relaying");
        let mut pipeline = Pipeline::open(self, &footing).await?;
        let ended = pipeline.run(disconnects, stop).await;
        if pipeline.acked() > footing.last {
            *pause = FIRST_PAUSE;
        }
        ended
    }
}

fn next(pause: &mut Duration) -> Duration {
    let now = *pause;
    *pause = (now * 2).min(LAST_PAUSE);
    now
}
