//! Hands waiting jobs to the workers: the only publisher to the jobs stream.
//!
//! Jobs are released a little ahead of what the workers can run, so that the order is decided late:
//! higher priority first, then the organisation with the fewest jobs under way, then the oldest.
//! Choosing and recording are one statement under a lock, so any number of dispatchers may be
//! alive; publishing comes after it, and one that was not carried out is taken up by any of them.

mod backlog;
mod publish;
mod release;

use std::time::Duration;

use domain::{Timestamp, jobs::JobKind};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{Backbone, queue};

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Jobs of one kind that one organisation may have under way.
    pub per_organization: u32,
    /// Jobs released beyond what the workers can run now, in percent of it.
    pub ahead_percent: u32,
    /// How often to look without being woken.
    pub poll: Duration,
    /// A release whose publisher did not come back for so long is published by another.
    pub publish_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            per_organization: 10,
            ahead_percent: 50,
            poll: Duration::from_secs(1),
            publish_timeout: Duration::from_secs(10),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    View(#[from] projections::ViewError),
}

/// Looks closer together than this would find the work of one look in many.
const PAUSE: Duration = Duration::from_millis(50);
/// After a failed look.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// How long the queue may lag behind the log before a look is taken at what it shows.
const QUEUE_LAG: Duration = Duration::from_millis(250);

struct Dispatcher {
    backbone: Backbone,
    options: Options,
}

/// Releases jobs until it is told to stop.
pub async fn run(backbone: Backbone, options: Options, stop: CancellationToken) {
    let dispatcher = Dispatcher { backbone, options };
    tokio::join!(dispatcher.dispatch(&stop), backlog::report(&dispatcher.backbone.views, &stop));
}

impl Dispatcher {
    async fn dispatch(&self, stop: &CancellationToken) {
        let mut head = self.backbone.journal.watch_head();
        loop {
            let begun = Instant::now();
            let position = *head.borrow_and_update();
            let looked = tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look(position) => looked,
            };
            let wait = looked.unwrap_or_else(|error| {
                let error = crate::chain(&error);
                tracing::warn!(error, "jobs could not be released; trying again");
                FAILED_PAUSE
            });
            tokio::select! {
                () = stop.cancelled() => return,
                // Without the log the end is near, and the timer is enough until then.
                Ok(()) = head.changed() => sleep_until(begun + PAUSE).await,
                () = sleep(wait) => {}
            }
        }
    }

    /// Releases what can be released now; gives the time until the next look.
    async fn look(&self, position: u64) -> Result<Duration, Error> {
        let queue = queue::open_at(&self.backbone.views, position, QUEUE_LAG).await?;
        let mut wait = self.options.poll;
        for kind in JobKind::ALL {
            let now = self.backbone.journal.clock().now();
            let released = self.release(queue.schema(), kind, now).await?;
            self.publish_all(kind, released.to_publish).await;
            if let Some(next) = released.next {
                wait = wait.min(until(now, next));
            }
        }
        Ok(wait)
    }
}

fn until(now: Timestamp, next: Timestamp) -> Duration {
    (next - now).to_std().unwrap_or_default().max(PAUSE)
}
