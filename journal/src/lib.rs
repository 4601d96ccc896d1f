//! The log: append, load, read by position, relay to JetStream, jobs stream.
//!
//! The only crate that writes events. Postgres is the truth; the stream is a copy that can be made
//! again from it at any time. Positions are gapless and in commit order, because the counter row
//! is the last lock of the append and is held to its commit.

mod append;
mod bus;
mod cache;
mod clock;
mod context;
pub mod doorbell;
mod execute;
mod idempotency;
pub mod jobs;
mod load;
pub mod log_archive;
pub mod logs;
mod payload;
mod personal;
mod read;
pub mod relay;
mod store;

use std::{hash::RandomState, sync::Arc};

use sqlx::PgPool;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio_util::sync::CancellationToken;

pub use append::{AppendError, AppendRequest, Appended, NewEvent, StoredResult};
pub use bus::{Bus, BusError, BusOptions};
pub use clock::{Clock, SystemClock};
pub use context::{Actor, Context, IdempotencyKey, Origin};
pub use execute::{Committed, ExecuteError, Outcome};
pub use load::LoadError;
pub use log_archive::LogArchive;
pub use logs::LogStream;
pub use payload::Payload;
pub use personal::{MASTER_KEYS_FRESH, Personal, PersonalError, origin};
pub use read::{Filter, MAX_PAGE, ReadError, Recorded, positions_of, read_within};
pub use store::{AggregateContext, JournalStore};

/// Commands on different aggregates rarely share one of so many locks.
const STRIPES: usize = 4096;
/// Snapshots that are written at the same time.
const SNAPSHOT_WRITERS: usize = 2;
/// nats-server refuses messages over 1 MiB by default; the rest is left for headers.
pub const MAX_EVENT_BYTES: usize = 960 * 1024;

/// The log of one installation. Cheap to clone.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    appender: append::Appender,
    cache: cache::AggregateCache,
    head: Arc<append::Head>,
    hasher: RandomState,
    stripes: Box<[Mutex<()>]>,
    snapshots: Arc<Semaphore>,
    /// None in a log that holds no personal data.
    keys: Option<Arc<personal::Keys>>,
}

/// Runs until it is told to stop and everything that was accepted is appended.
pub type AppenderTask = tokio::task::JoinHandle<()>;

#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error("the log's schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Brings the schema of the log up to date; forward only.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    Ok(sqlx::migrate!("./migrations").run(pool).await?)
}

impl Journal {
    /// Opens the log of a migrated database, with the master keys under which personal data is sealed.
    /// Appending ends when `stop` is cancelled; the returned task then ends after the last accepted
    /// request.
    pub async fn open_with_keys(
        pool: PgPool,
        clock: Arc<dyn Clock>,
        ring: vault::KeyRing,
        stop: CancellationToken,
    ) -> Result<(Self, AppenderTask), PersonalError> {
        let keys = personal::Keys::open(pool.clone(), ring, clock.now()).await?;
        Ok(Self::start(pool, clock, Some(Arc::new(keys)), stop).await?)
    }

    /// The same without keys: events with personal data are refused.
    pub async fn open(
        pool: PgPool,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Result<(Self, AppenderTask), sqlx::Error> {
        Self::start(pool, clock, None, stop).await
    }

    async fn start(
        pool: PgPool,
        clock: Arc<dyn Clock>,
        keys: Option<Arc<personal::Keys>>,
        stop: CancellationToken,
    ) -> Result<(Self, AppenderTask), sqlx::Error> {
        let position: i64 =
            sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await?;
        let head = Arc::new(watch::Sender::new(position as u64));
        let (appender, task) = append::spawn(
            append::connect(&pool),
            Arc::clone(&clock),
            Arc::clone(&head),
            MAX_EVENT_BYTES,
            stop,
        );
        let stripes = (0..STRIPES).map(|_| Mutex::new(())).collect();
        let inner = Inner {
            pool,
            clock,
            appender,
            cache: cache::AggregateCache::new(),
            head,
            hasher: RandomState::new(),
            stripes,
            snapshots: Arc::new(Semaphore::new(SNAPSHOT_WRITERS)),
            keys,
        };
        Ok((Self { inner: Arc::new(inner) }, task))
    }

    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The last position known to be committed. It wakes readers; it may be behind the log when
    /// another process appends.
    pub fn watch_head(&self) -> watch::Receiver<u64> {
        self.inner.head.subscribe()
    }

    /// Somebody saw that the log reaches `position`.
    pub fn announce(&self, position: u64) {
        append::advance(&self.inner.head, position);
    }

    /// Appends events that were decided elsewhere. Commands go through [`Journal::execute`].
    pub async fn append_request(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.inner.appender.append(request).await
    }

    /// Appends requests that were each decided on the events of the one before it: if that is refused,
    /// so are those after it. They give their verdicts in order, and share commits.
    pub async fn append_chain(
        &self,
        requests: Vec<AppendRequest>,
    ) -> Vec<Result<Appended, AppendError>> {
        self.inner.appender.append_chain(requests).await
    }
}
