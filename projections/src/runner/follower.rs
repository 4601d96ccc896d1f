//! Feeds one build: read, apply, go on; wait at the end of the log, back off at faults.

use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use journal::Journal;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Build, RunOptions,
    batch::{self, Halt, Outcome},
    measure::{self, Lag, Speed},
    tail::{Slice, Tail},
};
use crate::{Generation, Status, Views, event::with_causes};

const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// Batches behind the log at which speed counts more than the age of the next answer.
const FAR_BEHIND: u64 = 4;
/// How soon a held build is looked at again.
const HELD: Duration = Duration::from_millis(5);
/// A batch with more statements than this, each as slow as is allowed, is broken off as a whole.
const STATEMENTS: u32 = 10;

pub(super) struct Follower {
    build: Build,
    journal: Journal,
    views: Views,
    tail: Arc<Tail>,
    options: RunOptions,
    position: u64,
    status: Status,
    /// Most events in the next batch: halved by every fault, so that one that is too large for its
    /// time limit gets small enough.
    limit: u32,
    /// Read while the batch before was applied.
    ahead: Option<Slice>,
    /// When it last moved.
    moved_at: Instant,
    /// Somebody waits for the view to move.
    hurry: watch::Receiver<()>,
    lag: Lag,
    speed: Speed,
}

/// What to do next.
enum Next {
    GoOn,
    /// For company of the next event, then for the next event.
    Rest,
    Wait,
    Hold,
    End,
}

impl Follower {
    pub fn new(
        build: Build,
        found: &Generation,
        journal: Journal,
        views: Views,
        tail: Arc<Tail>,
        options: RunOptions,
    ) -> Self {
        let hurry = views.hurry(build.projection.name());
        Self {
            build,
            journal,
            views,
            tail,
            limit: options.batch_events.max(1),
            options,
            position: found.position,
            status: found.status,
            ahead: None,
            moved_at: Instant::now(),
            hurry,
            lag: Lag::default(),
            speed: Speed::default(),
        }
    }

    /// Until `stop` or until the build is dropped. A batch in hand is finished.
    pub async fn follow(mut self, stop: CancellationToken) {
        let mut backoff = FIRST_BACKOFF;
        while !stop.is_cancelled() {
            let pause = match self.step().await {
                Ok(Next::End) => return,
                Ok(Next::GoOn) => None,
                Ok(Next::Rest) => {
                    self.rest(&stop).await;
                    if self.is_end(self.position) {
                        self.wait(&stop).await;
                    }
                    None
                }
                Ok(Next::Wait) => {
                    self.wait(&stop).await;
                    None
                }
                Ok(Next::Hold) => Some(HELD),
                Err(halt) => {
                    self.complain(&halt).await;
                    self.ahead = None;
                    self.limit = (self.limit / 2).max(1);
                    backoff = (backoff * 2).min(LONGEST_BACKOFF);
                    Some(backoff)
                }
            };
            match pause {
                Some(pause) => drop(timeout(pause, stop.cancelled()).await),
                None => backoff = FIRST_BACKOFF,
            }
            self.measure();
        }
    }

    async fn step(&mut self) -> Result<Next, Halt> {
        let slice = match self.ahead.take().filter(|slice| slice.after() == self.position) {
            Some(slice) => slice,
            None => match self.read(self.position).await? {
                Some(slice) => slice,
                None => return self.caught_up().await,
            },
        };
        self.lag.waits_since(first_recorded(&slice));
        let (outcome, ahead) = tokio::join!(self.apply(&slice), async {
            if self.may_rest(slice.end()) { Ok(None) } else { self.read(slice.end()).await }
        },);
        match outcome? {
            Outcome::Applied { position, status } => {
                // A fault of reading ahead comes back with the next read.
                self.ahead = ahead.unwrap_or(None);
                self.applied(&slice, position, status);
                // What is known of the end may be old: nobody need have announced what came since.
                if status == Status::Building
                    && self.is_end(position)
                    && self.journal.head().await? <= position
                {
                    return self.caught_up().await;
                }
                Ok(self.after_moving())
            }
            Outcome::Moved { position, status } => {
                self.moved(position, status);
                Ok(self.after_moving())
            }
            Outcome::Held => {
                self.ahead = None;
                Ok(Next::Hold)
            }
            Outcome::Gone => Ok(Next::End),
        }
    }

    async fn apply(&self, slice: &Slice) -> Result<Outcome, Halt> {
        let speed = self.speed.get();
        let applied = batch::apply(&self.journal, self.build, &self.options, slice, speed);
        // A server that no longer answers at all does not break off its statements either.
        timeout(self.options.statement_timeout * STATEMENTS, applied)
            .await
            .map_err(|_| Halt::Slow)?
    }

    async fn read(&self, after: u64) -> Result<Option<Slice>, Halt> {
        let known = self.journal.watch_head().borrow().saturating_sub(after);
        // No more than is known to be there, unless it is about finding out.
        let limit = match u32::try_from(known) {
            Ok(known @ 1..) => known.min(self.limit),
            _ => self.limit,
        };
        let slice = self.tail.read(after, limit).await?;
        if let Some(slice) = &slice {
            self.journal.announce(slice.end());
            slice.decode(self.build.projection).await;
        }
        Ok(slice)
    }

    /// Whether no event after this position is known.
    fn is_end(&self, position: u64) -> bool {
        *self.journal.watch_head().borrow() <= position
    }

    /// Whether so few events are known after this position that they can wait for others: what a batch
    /// costs hardly depends on how many it has.
    fn may_rest(&self, position: u64) -> bool {
        let behind = self.journal.watch_head().borrow().saturating_sub(position);
        self.status != Status::Building && behind < u64::from(self.options.batch_events)
    }

    fn after_moving(&self) -> Next {
        if self.may_rest(self.position) { Next::Rest } else { Next::GoOn }
    }

    /// Until the rest is over, or somebody waits for what comes next.
    async fn rest(&mut self, stop: &CancellationToken) {
        let over = sleep_until(self.moved_at + self.options.rest);
        let mut head = self.journal.watch_head();
        let full = self.position + u64::from(self.options.batch_events);
        tokio::select! {
            () = over => {}
            () = stop.cancelled() => {}
            _ = head.wait_for(|head| *head >= full) => {}
            Ok(()) = self.hurry.changed() => {}
        }
    }

    fn applied(&mut self, slice: &Slice, position: u64, status: Status) {
        let events = position - slice.after();
        self.speed.add(events);
        self.moved(position, status);
        if let Some(ahead) = self.ahead.as_ref().filter(|ahead| ahead.after() == position) {
            self.lag.waits_since(first_recorded(ahead));
        }
        if status == Status::Live {
            measure::applied(self.build.projection.name(), events);
        }
    }

    fn moved(&mut self, position: u64, status: Status) {
        self.position = position;
        self.status = status;
        self.moved_at = Instant::now();
        self.lag.waits_since(None);
        let behind = self.journal.watch_head().borrow().saturating_sub(position);
        let catches_up = behind > FAR_BEHIND * u64::from(self.options.batch_events);
        let most = match status {
            Status::Building => self.options.rebuild_events,
            Status::Ready | Status::Live | Status::Standby if catches_up => {
                self.options.rebuild_events
            }
            Status::Ready | Status::Live | Status::Standby => self.options.batch_events,
        };
        self.limit = (self.limit * 2).min(most).max(1);
        if status == Status::Live {
            self.views.announce(self.build.projection.name(), position);
        }
    }

    async fn caught_up(&mut self) -> Result<Next, Halt> {
        if self.status == Status::Building {
            batch::settle(&self.journal, self.build).await?;
        }
        Ok(Next::Wait)
    }

    /// For the log to grow. It is also looked at now and then without a sign.
    async fn wait(&mut self, stop: &CancellationToken) {
        let position = self.position;
        let mut head = self.journal.watch_head();
        if *head.borrow() > position {
            // Announced, but not to be read: a sign of another log's head.
            drop(timeout(FIRST_BACKOFF, stop.cancelled()).await);
        }
        tokio::select! {
            _ = head.wait_for(|head| *head > position) => {}
            () = sleep(self.options.idle) => {}
            () = stop.cancelled() => {}
        }
        self.speed.rest();
    }

    async fn complain(&self, halt: &Halt) {
        let error = with_causes(halt);
        let (projection, generation) = (self.build.projection.name(), self.build.generation);
        let position = self.position;
        match halt {
            Halt::Read(journal::ReadError::Hole { .. }) | Halt::DeadLetters { .. } => {
                tracing::error!(projection, generation, position, error, "a view stands still");
            }
            Halt::Read(journal::ReadError::Database(_)) | Halt::Database(_) | Halt::Slow => {
                tracing::warn!(projection, generation, position, error, "a view is delayed");
            }
        }
        // The database itself may be the fault; the log of the process has it in any case.
        if let Err(error) = batch::note_error(&self.journal, self.build, &error).await {
            tracing::debug!(projection, error = with_causes(&error), "the fault was not noted");
        }
    }

    fn measure(&mut self) {
        if self.status == Status::Live {
            let name = self.build.projection.name();
            self.lag.report(&self.journal, name, self.position);
        }
    }
}

fn first_recorded(slice: &Slice) -> Option<Timestamp> {
    slice.events().first().map(|event| event.recorded.recorded_at)
}
