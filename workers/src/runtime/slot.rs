use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::jetstream::{AckKind, Message, consumer::PullConsumer};
use futures::StreamExt;
use journal::jobs::JobPointer;

use super::{Backoff, Handler, JobAggregate, Runtime};

/// One pull waits so long for a message.
const PULL: Duration = Duration::from_secs(5);
/// A server that has not answered a pull by then has forgotten it.
const PULL_ANSWER: Duration = Duration::from_secs(7);
const REBUILD: Backoff =
    Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(10) };
/// Before a claim that failed for want of the database is tried again.
const CLAIM_PAUSE: Duration = Duration::from_secs(1);
/// The connection may be gone and its buffer full.
const ANSWER: Duration = Duration::from_secs(1);
/// Messages out with all workers of a kind; each worker pulls only what it has slots for.
pub(super) const MAX_ACK_PENDING: i64 = 10_000;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs one job after the other until it is told to stop.
pub(super) async fn run<H: Handler>(runtime: Arc<Runtime<H>>) {
    let mut failures = 0;
    while !runtime.stop.is_cancelled() {
        match runtime.serve(&mut failures).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "the jobs stream failed; asking for it again"),
        }
        failures += 1;
        let pause = REBUILD.delay(failures, (runtime.options.chance)());
        tokio::select! {
            () = runtime.stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl<H: Handler> Runtime<H> {
    async fn serve(&self, failures: &mut u32) -> Result<(), Failure> {
        let consumer = self.consumer().await?;
        loop {
            let pulled = tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                pulled = self.pull(&consumer) => pulled?,
            };
            *failures = 0;
            if let Some(message) = pulled {
                self.process(&message).await;
            }
        }
    }

    pub(super) async fn consumer(&self) -> Result<PullConsumer, Failure> {
        let kind = H::Aggregate::KIND;
        Ok(self.backbone.jobs.consumer(kind, self.options.lease, MAX_ACK_PENDING).await?)
    }

    async fn pull(&self, consumer: &PullConsumer) -> Result<Option<Message>, Failure> {
        let _waiting = Waiting::new(&self.waiting);
        let pull = async {
            let mut batch = consumer.batch().max_messages(1).expires(PULL).messages().await?;
            batch.next().await.transpose()
        };
        match tokio::time::timeout(PULL_ANSWER, pull).await {
            Ok(pulled) => pulled,
            Err(_) => Err("the server does not answer".into()),
        }
    }

    async fn process(&self, message: &Message) {
        let pointer = match JobPointer::decode(&message.payload) {
            Ok(pointer) => pointer,
            Err(error) => {
                let sequence = message.info().map(|info| info.stream_sequence).unwrap_or_default();
                let error = crate::chain(&error);
                tracing::error!(error, subject = %message.subject, sequence, "a message that is no pointer to a job was thrown away");
                return answer(message, AckKind::Term).await;
            }
        };
        match self.claim(&pointer).await {
            Ok(Some(claimed)) => self.attend(claimed, message).await,
            Ok(None) => answer(message, AckKind::Ack).await,
            Err(error) => {
                let job = &pointer.job;
                tracing::warn!(%error, job, "a job could not be claimed; it is offered again");
                answer(message, AckKind::Nak(Some(CLAIM_PAUSE))).await;
                tokio::time::sleep(CLAIM_PAUSE).await;
            }
        }
    }
}

/// A lost answer means that the message comes again, and that is always safe.
pub(super) async fn answer(message: &Message, kind: AckKind) {
    match tokio::time::timeout(ANSWER, message.ack_with(kind)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a message could not be answered"),
        Err(_) => tracing::debug!("a message could not be answered in time"),
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
