//! What events ask for outside of the log: mails to people, and the destruction of the keys of whoever was
//! erased and of invitations that are over.
//!
//! Trigger: the log, followed from a checkpoint. Each such event becomes a row of `outbox`, in the
//! transaction that moves the checkpoint; the row is the unit of trying, so that one that fails holds up
//! no other. Idempotency: a mail keeps its Message-ID over all tries, destroying a key twice does nothing,
//! and a mail whose link was used, replaced or has expired is not sent any more. What fails is tried again
//! after longer and longer delays and then waits for an operator; a key is never given up.
//!
//! Any number of processes may run it at once.

mod effect;
mod error;
mod intake;
mod invitations;
mod letters;
mod operator;
mod store;

use std::{sync::Arc, time::Duration};

use journal::Journal;
use mail::Mailer;
use rand::Rng;
use tokio::{sync::Notify, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::runtime::Backoff;
pub(crate) use effect::Effect;
use error::Failure;
pub use invitations::expire as expire_invitations;
pub use operator::{Waiting, discard, list, retry};
use store::Item;

/// Longer than any mailer takes over one mail; a process that died holds its rows up for so long.
const LEASE: Duration = Duration::from_secs(180);
const PATIENCE: Duration = Duration::from_secs(150);
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// How mails leave, and how hard it is tried.
#[derive(Debug, Clone)]
pub struct Options {
    pub mailer: Arc<Mailer>,
    /// Links in mails lead below it.
    pub links: Url,
    /// Of one mail.
    pub max_tries: u32,
    pub backoff: Backoff,
    /// Tried at the same time.
    pub concurrency: usize,
    /// How often rows that are due are looked for although nobody announced any.
    pub idle: Duration,
}

impl Options {
    pub fn new(mailer: Mailer, links: Url) -> Self {
        Self {
            mailer: Arc::new(mailer),
            links,
            max_tries: 12,
            backoff: Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(3600) },
            concurrency: 4,
            idle: Duration::from_secs(1),
        }
    }
}

#[derive(Clone)]
struct Outbox {
    journal: Journal,
    options: Options,
    /// There are new rows.
    news: Arc<Notify>,
}

/// Follows the log and does what is asked for until `stop`, then ends after what is in hand.
pub async fn run(journal: Journal, options: Options, stop: CancellationToken) {
    let outbox = Outbox { journal, options, news: Arc::new(Notify::new()) };
    tokio::join!(intake::run(&outbox, &stop), outbox.work(&stop));
}

impl Outbox {
    async fn work(&self, stop: &CancellationToken) {
        let mut running = JoinSet::new();
        while !stop.is_cancelled() {
            let free = self.options.concurrency.saturating_sub(running.len());
            let pause = match store::claim(self.journal.pool(), free, LEASE).await {
                Ok(items) => {
                    for item in items {
                        let outbox = self.clone();
                        running.spawn(async move { outbox.take(item).await });
                    }
                    self.options.idle
                }
                Err(error) => {
                    tracing::warn!(%error, "the outbox could not be read");
                    AFTER_FAULT
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => self.measure().await,
                () = self.news.notified() => {}
                Some(_) = running.join_next() => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Does what the row asks for and writes down what came of it. When that cannot be written the row is
    /// tried again once its time is over.
    async fn take(&self, item: Item) {
        let done = match timeout(PATIENCE, effect::carry_out(self, &item)).await {
            Ok(done) => done,
            Err(_elapsed) => Err(Failure::Retry(format!("it took longer than {PATIENCE:?}"))),
        };
        let pool = self.journal.pool();
        let written = match done {
            Ok(()) => store::done(pool, item.position).await,
            Err(failure) => self.put_off(&item, &failure).await,
        };
        if let Err(error) = written {
            tracing::warn!(position = item.position, %error, "it is tried again for want of a database");
        }
    }

    async fn put_off(&self, item: &Item, failure: &Failure) -> Result<(), sqlx::Error> {
        let (position, event, tries) = (item.position, item.event_type.as_str(), item.tries);
        let error = failure.reason();
        if failure.is_final()
            || (tries >= self.options.max_tries && !effect::is_due_for_ever(event))
        {
            tracing::error!(position, event, tries, error, "given up; `millrace outbox` shows it");
            return store::bury(self.journal.pool(), position, error).await;
        }
        let delay = self.options.backoff.delay(tries, rand::rng().random());
        tracing::warn!(position, event, tries, error, ?delay, "it is tried again");
        store::put_off(self.journal.pool(), position, error, delay).await
    }

    async fn measure(&self) {
        match store::count(self.journal.pool()).await {
            Ok((waiting, dead)) => {
                metrics::gauge!("outbox_backlog").set(waiting as f64);
                metrics::gauge!("outbox_dead_letters").set(dead as f64);
            }
            Err(error) => tracing::debug!(%error, "the outbox could not be counted"),
        }
    }
}
