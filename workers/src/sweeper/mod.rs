//! Repairs what was lost between the log, the stream and the workers.
//!
//! A release whose message is no longer in the stream, though its job still waits, is published
//! again. A running attempt whose lease has expired is abandoned, which puts the job back into the
//! queue. An attempt far over its deadline is failed, should its worker be alive and stuck. Each
//! look takes no input, may be repeated, and any number of sweepers may be alive.

mod releases;
mod running;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::Backbone;

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub interval: Duration,
    /// A message younger than this is not looked for.
    pub release_grace: Duration,
    /// A worker ends an attempt at its deadline by itself; this long afterwards it is ended here.
    pub deadline_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(3),
            release_grace: Duration::from_secs(10),
            deadline_grace: Duration::from_secs(60),
        }
    }
}

/// Most rows repaired in one look; the rest comes with the next.
const BATCH: i64 = 500;

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Sweeper {
    backbone: Backbone,
    options: Options,
}

/// Sweeps until it is told to stop.
pub async fn run(backbone: Backbone, options: Options, stop: CancellationToken) {
    let sweeper = Sweeper { backbone, options };
    loop {
        let looked = tokio::select! {
            () = stop.cancelled() => return,
            looked = sweeper.look() => looked,
        };
        if let Err(error) = looked {
            tracing::warn!(error = %crate::chain(&*error), "lost jobs could not be swept; trying again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(options.interval) => {}
        }
    }
}

impl Sweeper {
    async fn look(&self) -> Result<(), Failure> {
        let view = crate::queue::open(&self.backbone.views).await?;
        self.abandon_expired(&view).await?;
        self.fail_overdue(&view).await?;
        self.release_lost().await?;
        self.delete_stale(&view).await
    }
}
