use std::{collections::VecDeque, io, time::Duration};

use bytes::Bytes;
use futures::Stream;
use journal::{Filter, ReadError, Recorded};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::model;
use crate::{
    live::{self, Slot},
    problem::Problem,
    state::App,
};

/// Events held for one reader; each may be as large as a message may be.
const PAGE: u32 = 16;

/// A place in the log that moves forward.
pub(super) struct Follow {
    journal: journal::Journal,
    filter: Filter,
    /// Everything up to here was read.
    after: u64,
    /// The log reached at least this far before the last page was read.
    seen: u64,
    head: watch::Receiver<u64>,
    stop: CancellationToken,
    keep_alive: Duration,
}

pub(super) enum Step {
    Events(Vec<Recorded>),
    /// Nothing came for a while.
    Quiet,
    /// The right of the reader is over, or the server shuts down.
    End,
}

/// Position of the last event there is.
pub(super) async fn head(app: &App) -> Result<u64, Problem> {
    app.journal.head().await.map_err(|error| Problem::unavailable(&error))
}

impl Follow {
    /// Until `stop` is cancelled.
    pub async fn new(
        app: &App,
        filter: Filter,
        after: u64,
        stop: CancellationToken,
    ) -> Result<Self, Problem> {
        Ok(Self {
            seen: head(app).await?,
            journal: app.journal.clone(),
            filter,
            after,
            head: app.journal.watch_head(),
            stop,
            keep_alive: app.options.keep_alive,
        })
    }

    pub fn position(&self) -> u64 {
        self.after
    }

    pub fn head(&self) -> u64 {
        self.seen
    }

    /// Whether the last page reached the end of the log as it was then.
    pub fn at_head(&self) -> bool {
        self.after >= self.seen
    }

    /// The next events, at most `limit` of them.
    pub async fn page(&mut self, limit: u32) -> Result<Vec<Recorded>, ReadError> {
        let limit = limit.min(PAGE);
        self.seen = self.seen.max(*self.head.borrow_and_update());
        let page = self.journal.read(self.after, &self.filter, limit).await?;
        // The log is in commit order: what was committed before the page was read is in it.
        let reached = if page.len() < limit as usize { self.seen } else { 0 };
        let last = page.last().map_or(0, |event| event.position);
        self.after = self.after.max(reached).max(last);
        Ok(page)
    }

    /// The next events, or a sign that there are none for now.
    pub async fn step(&mut self) -> Result<Step, ReadError> {
        let quiet_at = Instant::now() + self.keep_alive;
        loop {
            if self.stop.is_cancelled() {
                return Ok(Step::End);
            }
            let page = self.page(PAGE).await?;
            if !page.is_empty() {
                return Ok(Step::Events(page));
            }
            let stop = self.stop.clone();
            let moved = async {
                let after = self.after;
                self.head.wait_for(|head| *head > after).await.is_ok()
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(Step::End),
                moved = timeout_at(quiet_at, moved) => match moved {
                    Ok(true) => {}
                    Ok(false) => return Ok(Step::End),
                    Err(_elapsed) => return Ok(Step::Quiet),
                },
            }
        }
    }

    /// Server-sent events. The log is only read as fast as the client reads the stream.
    pub fn into_event_stream(
        self,
        slot: Slot,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let waiting = VecDeque::from([live::opening()]);
        let state = Some(Reader { follow: self, waiting, _slot: slot });
        futures::stream::unfold(state, |state| async {
            // What was read before the right was over is not sent after it.
            let mut state = state.filter(|state| !state.follow.stop.is_cancelled())?;
            if let Some(bytes) = state.waiting.pop_front() {
                return Some((Ok(bytes), Some(state)));
            }
            match state.follow.step().await {
                Ok(Step::Events(page)) => {
                    let mut events = page.iter().map(model::server_sent);
                    let first = events.next().unwrap_or_default();
                    state.waiting = events.collect();
                    Some((Ok(first), Some(state)))
                }
                Ok(Step::Quiet) => {
                    let sign = live::alive(state.follow.position());
                    Some((Ok(sign), Some(state)))
                }
                Ok(Step::End) => Some((Ok(live::opening()), None)),
                Err(error) => {
                    let _logged = Problem::from(error);
                    Some((Ok(live::opening()), None))
                }
            }
        })
    }
}

/// A client of server-sent events.
struct Reader {
    follow: Follow,
    waiting: VecDeque<Bytes>,
    _slot: Slot,
}
