use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{counter, gauge, histogram};
use sqlx::{
    ConnectOptions, PgConnection,
    postgres::{PgConnectOptions, PgPool},
};
use tokio::{
    sync::mpsc,
    task::yield_now,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    AppendError, Appended, Appender, Head, advance,
    batch::{self, Hope, Part},
    gather::{Batch, Place},
    queue::{Verdict, Waiting},
    request::is_of_data,
};
use crate::Clock;

/// Bounds of one batch: large enough that the commit costs little per request, small enough that
/// the first request of a batch does not wait long for the last.
const BATCH_REQUESTS: usize = 256;
const BATCH_BYTES: usize = 1 << 20;
/// Tries of a batch, over new connections, before its requests are refused.
const TRIES: u32 = 8;
/// How often others are let run to hand something in.
const YIELDS: u32 = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
/// Longer than the server lets a statement run: after it the connection is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// Options of the connections that append: nothing may hold the head row for long.
pub(crate) fn connect(pool: &PgPool) -> PgConnectOptions {
    (*pool.connect_options()).clone().application_name("millrace appender").options([
        ("lock_timeout", "5s"),
        ("statement_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "10s"),
        // Each statement of the append must see what was committed while an earlier one waited.
        ("default_transaction_isolation", r"read\ committed"),
        ("synchronous_commit", "on"),
        ("jit", "off"),
        // A plan made while a table was small would otherwise read all of it when it has grown.
        ("enable_seqscan", "off"),
        // What is given differs, but never in what is the best way to find its rows.
        ("plan_cache_mode", "force_generic_plan"),
        // Streams are locked in the order of the requests, as a nested loop does.
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
    ])
}

pub(crate) fn spawn(
    options: PgConnectOptions,
    clock: Arc<dyn Clock>,
    head: Arc<Head>,
    max_event_bytes: usize,
    stop: CancellationToken,
) -> (Appender, tokio::task::JoinHandle<()>) {
    let (appender, waiting) = Appender::new(max_event_bytes);
    let task = Task::new(options, clock, head, waiting);
    (appender, tokio::spawn(task.run(stop)))
}

pub(super) struct Task {
    options: PgConnectOptions,
    clock: Arc<dyn Clock>,
    head: Arc<Head>,
    waiting: mpsc::Receiver<Waiting>,
    /// Requests that share something with one of the batch in the making.
    deferred: VecDeque<Waiting>,
    connection: Option<PgConnection>,
    hope: Hope,
    /// Requests in the batch before.
    latest: usize,
}

impl Task {
    pub fn new(
        options: PgConnectOptions,
        clock: Arc<dyn Clock>,
        head: Arc<Head>,
        waiting: mpsc::Receiver<Waiting>,
    ) -> Self {
        Self {
            options,
            clock,
            head,
            waiting,
            deferred: VecDeque::new(),
            connection: None,
            hope: Hope::new(),
            latest: 0,
        }
    }

    async fn run(mut self, stop: CancellationToken) {
        let mut stopping = false;
        loop {
            if !stopping && stop.is_cancelled() {
                // What was accepted is still appended; nothing new is taken.
                self.waiting.close();
                stopping = true;
            }
            if self.deferred.is_empty() {
                let next = tokio::select! {
                    biased;
                    () = stop.cancelled(), if !stopping => continue,
                    next = self.waiting.recv() => next,
                };
                match next {
                    Some(waiting) => self.deferred.push_back(waiting),
                    None => return,
                }
            }
            self.let_others_come().await;
            let batch = self.gather();
            gauge!("append_queue_depth").set((self.waiting.len() + self.deferred.len()) as f64);
            if batch.len() > 0 {
                self.latest = batch.len();
                self.append(batch).await;
            }
        }
    }

    /// The callers of one batch come back together: without this the first of them would be appended
    /// alone, and all others wait for that commit. Half of them are enough: the database works while
    /// the others come.
    async fn let_others_come(&self) {
        let mut before = 0;
        for _ in 0..YIELDS {
            let waiting = self.waiting.len() + self.deferred.len();
            if waiting == before || waiting * 2 >= self.latest {
                return;
            }
            before = waiting;
            yield_now().await;
        }
    }

    fn gather(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut collided = VecDeque::new();
        while batch.len() < BATCH_REQUESTS && batch.bytes() < BATCH_BYTES {
            let Some(waiting) = self.deferred.pop_front().or_else(|| self.waiting.try_recv().ok())
            else {
                break;
            };
            match batch.place(&waiting) {
                Place::Here(after) => batch.add(waiting, after),
                Place::Later => collided.push_back(waiting),
                Place::Nowhere => refuse(waiting),
            }
            // A queue full of requests for one stream must not be held back as a whole.
            if collided.len() >= BATCH_REQUESTS {
                break;
            }
        }
        collided.append(&mut self.deferred);
        self.deferred = collided;
        batch
    }

    async fn append(&mut self, batch: Batch) {
        let started = Instant::now();
        let parts = batch.parts();
        let verdicts = match self.append_durably(&parts, false).await {
            Err(error) if is_of_data(&error) && parts.len() > 1 => {
                tracing::warn!(%error, "a batch is appended one by one: a request cannot be stored");
                self.append_singly(&parts).await
            }
            Err(error) => vec![Err(error.into()); parts.len()],
            Ok(verdicts) => verdicts,
        };
        histogram!("append_batch_requests").record(parts.len() as f64);
        histogram!("append_duration_seconds").record(started.elapsed().as_secs_f64());
        for (reply, verdict) in batch.into_replies().into_iter().zip(verdicts) {
            if matches!(verdict, Err(AppendError::Conflict { .. })) {
                counter!("append_conflicts_total").increment(1);
            }
            reply.send(verdict);
        }
    }

    /// So that a request that cannot be stored is refused alone.
    async fn append_singly(&mut self, parts: &[Part<'_>]) -> Vec<Verdict> {
        let mut verdicts: Vec<Verdict> = Vec::with_capacity(parts.len());
        for Part { request, after } in parts {
            if after.is_some_and(|before| verdicts[before].is_err()) {
                verdicts.push(Err(request.conflict()));
                continue;
            }
            // An earlier try of them all may have lost its answer.
            match self.append_durably(&[Part { request, after: None }], true).await {
                Ok(verdict) => verdicts.extend(verdict),
                Err(error) => verdicts.push(Err(error.into())),
            }
        }
        verdicts
    }

    /// Appends the requests in one transaction, over as many connections as it takes, until their
    /// fate is known. `again` when an earlier try may have lost its answer.
    pub(super) async fn append_durably(
        &mut self,
        parts: &[Part<'_>],
        mut again: bool,
    ) -> Result<Vec<Verdict>, sqlx::Error> {
        let mut backoff = FIRST_BACKOFF;
        let mut tries = 0;
        loop {
            tries += 1;
            let tried = timeout(ANSWER_TIMEOUT, self.try_append(parts, again)).await;
            let tried =
                tried.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
            let Err(error) = tried else { return tried };
            tracing::warn!(%error, requests = parts.len(), "append failed");
            self.drop_dead_connection().await;
            if tries == TRIES || is_of_data(&error) {
                return Err(error);
            }
            again = true;
            sleep(backoff).await;
            backoff *= 2;
        }
    }

    async fn try_append(
        &mut self,
        parts: &[Part<'_>],
        again: bool,
    ) -> Result<Vec<Verdict>, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.options.connect().await?),
        };
        // The commit of an earlier try may have happened although its answer was lost.
        let mut known = vec![None; parts.len()];
        if again {
            known = batch::recall(connection, parts).await?;
        }
        let left = left_of(parts, &known);
        let mut head = known.iter().flatten().map(|appended| appended.last_position).max();
        let mut verdicts = Vec::new();
        if !left.is_empty() {
            let reached;
            (verdicts, reached) =
                batch::append(connection, &left, self.clock.now(), &mut self.hope).await?;
            head = head.max(Some(reached));
        }
        // It may even have happened while this try waited for it.
        if again && verdicts.iter().any(Result::is_err) {
            for (verdict, recalled) in
                verdicts.iter_mut().zip(batch::recall(connection, &left).await?)
            {
                if let Some(appended) = recalled {
                    *verdict = Ok(appended);
                }
            }
        }
        advance(&self.head, head.unwrap_or_default());
        let mut verdicts = verdicts.into_iter();
        Ok(known
            .into_iter()
            .filter_map(|known| known.map(Ok).or_else(|| verdicts.next()))
            .collect())
    }

    /// An unanswered statement leaves its connection in the middle of it.
    async fn drop_dead_connection(&mut self) {
        let answers = match &mut self.connection {
            Some(connection) => {
                let ping = timeout(PING_TIMEOUT, batch::is_alive(connection));
                ping.await.unwrap_or(false)
            }
            None => false,
        };
        if !answers {
            self.connection = None;
        }
    }
}

/// Those that are not known to be in the log.
fn left_of<'a>(parts: &[Part<'a>], known: &[Option<Appended>]) -> Vec<Part<'a>> {
    let mut left = Vec::new();
    // Where each stands among those that are left.
    let mut places = Vec::with_capacity(parts.len());
    for (part, known) in parts.iter().zip(known) {
        places.push(known.is_none().then_some(left.len()));
        if known.is_none() {
            left.push(Part { after: part.after.and_then(|before| places[before]), ..*part });
        }
    }
    left
}

fn refuse(Waiting { request, reply, .. }: Waiting) {
    counter!("append_conflicts_total").increment(1);
    reply.send(Err(request.conflict()));
}
