//! The stream `LOGS`: what running jobs print, line by line, for a day.
//!
//! Lines are for watching; the whole output goes to the object store when a job ends. So a line
//! may be lost when the server is away, but a job is never held up by it for long.

mod follow;
mod writer;

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use domain::{Timestamp, ids::OrganizationId};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

pub use follow::Lines;

use self::writer::Order;
use crate::{
    Bus,
    jobs::{fresh_sequence, token},
};

const NAME: &str = "LOGS";
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
const MAX_BYTES: i64 = 256 * 1024 * 1024;
const MAX_LINES_PER_JOB: i64 = 20_000;
/// Longer lines are cut.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// Lines that wait to be sent, of all jobs of this process.
const BUFFER: usize = 4096;
/// A job waits so long for room in the buffer; then the line is lost.
const PATIENCE: Duration = Duration::from_millis(100);
/// The end of a job's lines is worth a longer wait.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// A process that ends waits so long for its last lines.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// What the job printed.
    Out,
    /// What the platform says about the job.
    Progress,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub at: Timestamp,
    pub stream: LogSource,
    pub text: String,
}

/// What a message of the stream holds.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Entry {
    Line(LogLine),
    End,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{action} failed")]
    Nats {
        action: &'static str,
        #[source]
        source: async_nats::Error,
    },
    #[error("the lines were lost with their stream")]
    Lost,
    #[error("no line has come for {0:?}")]
    Silent(Duration),
    #[error(transparent)]
    Token(#[from] crate::jobs::Error),
}

impl Error {
    fn nats(action: &'static str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Self {
        move |source| Self::Nats { action, source }
    }
}

/// Cheap to clone; what was handed in is sent by a task of its own, until the last clone is gone.
#[derive(Clone)]
pub struct LogStream {
    bus: Bus,
    writer: mpsc::Sender<Order>,
}

impl LogStream {
    pub async fn open(bus: &Bus) -> Result<Self, Error> {
        ensure(bus).await?;
        let (writer, waiting) = mpsc::channel(BUFFER);
        tokio::spawn(writer::run(bus.clone(), waiting));
        Ok(Self { bus: bus.clone(), writer })
    }

    /// Hands a line over to be sent; when too many wait, it is dropped and counted.
    pub async fn publish(&self, org: OrganizationId, job: &str, line: &LogLine) {
        let mut line = line.clone();
        line.text.truncate(line.text.floor_char_boundary(MAX_LINE_BYTES));
        self.hand_over(org, job, &Entry::Line(line), PATIENCE).await;
    }

    /// Says that no line of the job will follow.
    pub async fn end(&self, org: OrganizationId, job: &str) {
        self.hand_over(org, job, &Entry::End, END_PATIENCE).await;
    }

    /// Waits until everything that was handed over before is sent or given up, which a process does
    /// before it ends. It does not wait for long.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let flush = async {
            if self.writer.send(Order::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        if timeout(FLUSH_PATIENCE, flush).await.is_err() {
            tracing::warn!("the last lines of jobs could not be sent");
        }
    }

    async fn hand_over(&self, org: OrganizationId, job: &str, entry: &Entry, patience: Duration) {
        let (Ok(subject), Ok(payload)) = (self.subject(org, job), serde_json::to_vec(entry)) else {
            tracing::warn!(job, "a line of a job with a bad id was dropped");
            return;
        };
        let is_end = matches!(entry, Entry::End);
        let order = Order::Send { subject: subject.into(), payload: payload.into(), is_end };
        let sending = self.writer.send(order);
        if !matches!(timeout(patience, sending).await, Ok(Ok(()))) {
            metrics::counter!("log_lines_dropped_total").increment(1);
        }
    }

    fn subject(&self, org: OrganizationId, job: &str) -> Result<String, Error> {
        Ok(self.bus.subject(&format!("logs.{org}.{}", token(job)?)))
    }
}

async fn ensure(bus: &Bus) -> Result<Stream, Error> {
    let config = Config {
        name: bus.stream(NAME),
        description: Some("what running jobs print".to_owned()),
        subjects: vec![bus.subject("logs.>")],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_age: MAX_AGE,
        max_bytes: MAX_BYTES,
        max_messages_per_subject: MAX_LINES_PER_JOB,
        storage: StorageType::File,
        num_replicas: bus.replicas(),
        first_sequence: Some(fresh_sequence()),
        ..Config::default()
    };
    bus.ensure(config).await.map_err(Error::nats("making the logs stream"))
}
