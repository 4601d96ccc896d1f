//! Repairs what was lost between the log, the stream and the workers.
//!
//! A release whose message is no longer in the stream, though its job still waits, is published
//! again. A running attempt whose lease has expired is abandoned, which puts the job back into the
//! queue. An attempt far over its deadline is failed, should its worker be alive and stuck. A job that
//! waits for somebody who is suspended, or in a suspended organisation, is cancelled. Each look takes no
//! input, may be repeated, and any number of sweepers may be alive.

mod releases;
mod round;
mod running;
mod suspended;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::Backbone;
use round::Round;

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
    expired: Round,
    overdue: Round,
    released: Round,
    suspended_organizations: Round,
    suspended_users: Round,
}

/// Sweeps until it is told to stop.
pub async fn run(backbone: Backbone, options: Options, stop: CancellationToken) {
    let mut sweeper = Sweeper {
        backbone,
        options,
        expired: Round::default(),
        overdue: Round::default(),
        released: Round::default(),
        suspended_organizations: Round::default(),
        suspended_users: Round::default(),
    };
    let sweep = async {
        loop {
            sweeper.look().await;
            tokio::time::sleep(options.interval).await;
        }
    };
    stop.run_until_cancelled(sweep).await;
}

impl Sweeper {
    /// What fails in one step holds up neither the other steps nor the next look.
    async fn look(&mut self) {
        match crate::queue::open(&self.backbone.views).await {
            Ok(view) => {
                note("expired attempts", self.abandon_expired(&view).await);
                note("overdue attempts", self.fail_overdue(&view).await);
                note("stale leases", self.delete_stale(&view).await);
                note("jobs of the suspended", self.cancel_suspended(&view).await);
            }
            Err(error) => note("running attempts", Err(error.into())),
        }
        note("lost releases", self.release_lost().await);
    }
}

fn note_job(job: &str, swept: Result<(), Failure>) {
    if let Err(error) = swept {
        tracing::warn!(error = %crate::chain(&*error), job, "a job could not be swept; trying again");
    }
}

fn note(what: &str, swept: Result<(), Failure>) {
    if let Err(error) = swept {
        tracing::warn!(error = %crate::chain(&*error), what, "could not be swept; trying again");
    }
}
