use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{counter, gauge, histogram};
use sqlx::{
    ConnectOptions, PgConnection,
    postgres::{PgConnectOptions, PgPool},
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    AppendError, AppendRequest, Appended,
    batch::{self, Batch},
};
use crate::Clock;

/// Requests that may wait. Beyond it callers are refused at once instead of waiting longer than
/// they would.
const QUEUE_REQUESTS: usize = 4096;
/// Bounds of one batch: large enough that the commit costs little per request, small enough that
/// the first request of a batch does not wait long for the last.
const BATCH_REQUESTS: usize = 256;
const BATCH_BYTES: usize = 1 << 20;
/// Batches that are tried again on a new connection before their requests are refused.
const RECONNECTS: u32 = 8;
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
/// Longer than the server lets a statement run: after it the connection is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(1);

type Reply = oneshot::Sender<Result<Appended, AppendError>>;

/// The last position that is known to be committed.
pub(crate) type Head = watch::Sender<u64>;

struct Waiting {
    request: AppendRequest,
    reply: Reply,
}

/// Hands requests to the task that owns the connection.
#[derive(Clone)]
pub(crate) struct Appender {
    queue: mpsc::Sender<Waiting>,
    max_event_bytes: usize,
}

impl Appender {
    /// Waits for the verdict. Dropping the future does not take the request back.
    pub async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        if let Some(event) = request.events.iter().find(|e| e.payload.len() > self.max_event_bytes)
        {
            return Err(AppendError::TooLarge {
                bytes: event.payload.len(),
                max: self.max_event_bytes,
            });
        }
        let (reply, verdict) = oneshot::channel();
        self.queue.try_send(Waiting { request, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
        })?;
        verdict.await.unwrap_or(Err(AppendError::Closed))
    }
}

/// Options of the connections that append: nothing may hold the head row for long.
pub(crate) fn connect(pool: &PgPool) -> PgConnectOptions {
    (*pool.connect_options()).clone().application_name("millrace appender").options([
        ("lock_timeout", "5s"),
        ("statement_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("synchronous_commit", "on"),
        ("jit", "off"),
    ])
}

pub(crate) fn spawn(
    options: PgConnectOptions,
    clock: Arc<dyn Clock>,
    head: Arc<Head>,
    max_event_bytes: usize,
    stop: CancellationToken,
) -> (Appender, tokio::task::JoinHandle<()>) {
    let (queue, waiting) = mpsc::channel(QUEUE_REQUESTS);
    let task = Task { options, clock, head, waiting, deferred: VecDeque::new(), connection: None };
    (Appender { queue, max_event_bytes }, tokio::spawn(task.run(stop)))
}

struct Task {
    options: PgConnectOptions,
    clock: Arc<dyn Clock>,
    head: Arc<Head>,
    waiting: mpsc::Receiver<Waiting>,
    /// Requests that share something with one of the batch in the making.
    deferred: VecDeque<Waiting>,
    connection: Option<PgConnection>,
}

impl Task {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            if self.deferred.is_empty() {
                let next = tokio::select! {
                    biased;
                    next = self.waiting.recv() => next,
                    () = stop.cancelled() => {
                        // What was accepted is still appended; nothing new is taken.
                        self.waiting.close();
                        self.waiting.recv().await
                    }
                };
                match next {
                    Some(waiting) => self.deferred.push_back(waiting),
                    None => return,
                }
            }
            let (batch, replies) = self.gather();
            gauge!("append_queue_depth").set((self.waiting.len() + self.deferred.len()) as f64);
            self.append(batch, replies).await;
        }
    }

    fn gather(&mut self) -> (Batch, Vec<Reply>) {
        let mut batch = Batch::default();
        let mut replies = Vec::new();
        let mut collided = VecDeque::new();
        while batch.requests.len() < BATCH_REQUESTS && batch.bytes < BATCH_BYTES {
            let Some(Waiting { request, reply }) =
                self.deferred.pop_front().or_else(|| self.waiting.try_recv().ok())
            else {
                break;
            };
            if batch.collides(&request) {
                collided.push_back(Waiting { request, reply });
            } else {
                batch.add(request);
                replies.push(reply);
            }
            // A queue full of requests for one stream must not be held back as a whole.
            if collided.len() >= BATCH_REQUESTS {
                break;
            }
        }
        collided.append(&mut self.deferred);
        self.deferred = collided;
        (batch, replies)
    }

    async fn append(&mut self, batch: Batch, replies: Vec<Reply>) {
        let started = Instant::now();
        let verdicts = self.append_durably(&batch).await;
        histogram!("append_batch_requests").record(batch.requests.len() as f64);
        histogram!("append_duration_seconds").record(started.elapsed().as_secs_f64());
        for (reply, verdict) in replies.into_iter().zip(verdicts) {
            if matches!(verdict, Err(AppendError::Conflict { .. })) {
                counter!("append_conflicts_total").increment(1);
            }
            // The caller may be gone; its events are in the log all the same.
            let _ = reply.send(verdict);
        }
    }

    /// Appends the batch, over as many connections as it takes, until its fate is known.
    async fn append_durably(&mut self, batch: &Batch) -> Vec<Result<Appended, AppendError>> {
        let mut backoff = FIRST_BACKOFF;
        let mut last_error = None;
        for _ in 0..RECONNECTS {
            if last_error.is_some() {
                tokio::time::sleep(backoff).await;
                backoff *= 2;
            }
            let again = last_error.is_some();
            let tried = tokio::time::timeout(ANSWER_TIMEOUT, self.try_append(batch, again)).await;
            match tried
                .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
            {
                Ok(verdicts) => return verdicts,
                Err(error) => {
                    tracing::warn!(%error, requests = batch.requests.len(), "append failed");
                    self.drop_dead_connection().await;
                    last_error = Some(error);
                }
            }
        }
        let error = last_error.map_or(AppendError::Closed, AppendError::from);
        batch.requests.iter().map(|_| Err(error.clone())).collect()
    }

    async fn try_append(
        &mut self,
        batch: &Batch,
        again: bool,
    ) -> Result<Vec<Result<Appended, AppendError>>, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.options.connect().await?),
        };
        // The commit of an earlier try may have happened although its answer was lost.
        if again {
            let recalled = batch.recall(connection).await?;
            if let Some(head) = recalled.iter().flatten().map(|a| a.last_position).max() {
                self.advance(head);
                let refused = batch.requests.iter().map(AppendRequest::conflict);
                return Ok(recalled
                    .into_iter()
                    .zip(refused)
                    .map(|(appended, refusal)| appended.ok_or(refusal))
                    .collect());
            }
        }
        let (mut verdicts, head) = batch.append(connection, self.clock.now()).await?;
        // It may even have happened while this try waited for it.
        if again && verdicts.iter().any(Result::is_err) {
            for (verdict, recalled) in verdicts.iter_mut().zip(batch.recall(connection).await?) {
                if let Some(appended) = recalled {
                    *verdict = Ok(appended);
                }
            }
        }
        self.advance(head);
        Ok(verdicts)
    }

    /// An unanswered statement leaves its connection in the middle of it.
    async fn drop_dead_connection(&mut self) {
        let answers = match &mut self.connection {
            Some(connection) => {
                let ping = tokio::time::timeout(PING_TIMEOUT, batch::is_alive(connection));
                ping.await.unwrap_or(false)
            }
            None => false,
        };
        if !answers {
            self.connection = None;
        }
    }

    fn advance(&self, position: u64) {
        self.head.send_if_modified(|head| {
            let moved = position > *head;
            *head = (*head).max(position);
            moved
        });
    }
}
