//! Taking requests in, as many as there is room for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{AppendError, AppendRequest, Appended, Fate, fate::Deciding};

/// Requests that may wait, and what they may weigh until they are answered. Beyond it callers are
/// refused at once instead of waiting longer than they would.
const QUEUE_REQUESTS: usize = 4096;
pub(super) const QUEUE_BYTES: usize = 64 << 20;
/// Bounds of one request: it holds up all others while it is appended.
pub(super) const REQUEST_EVENTS: usize = 1000;
const REQUEST_BYTES: u32 = 8 << 20;

pub(super) type Verdict = Result<Appended, AppendError>;

pub(super) struct Waiting {
    pub request: AppendRequest,
    /// Of the append on whose events the request was decided.
    pub after: Option<Fate>,
    pub reply: Reply,
}

/// Where a request is answered, and the room it takes until then.
pub(super) struct Reply {
    deciding: Deciding,
    verdict: oneshot::Sender<Verdict>,
    room: OwnedSemaphorePermit,
}

impl Reply {
    pub fn fate(&self) -> &Fate {
        self.deciding.fate()
    }

    pub fn send(self, verdict: Verdict) {
        self.deciding.settle(verdict.as_ref().ok().map(|appended| appended.last_position));
        drop(self.room);
        // The caller may be gone; its events are in the log all the same.
        let _ = self.verdict.send(verdict);
    }
}

/// A request that was handed in.
pub(crate) struct Submitted {
    pub fate: Fate,
    verdict: oneshot::Receiver<Verdict>,
}

impl Submitted {
    /// Dropping the future does not take the request back.
    pub async fn verdict(self) -> Verdict {
        self.verdict.await.unwrap_or(Err(AppendError::Closed))
    }
}

/// Hands requests to the task that owns the connection.
#[derive(Clone)]
pub(crate) struct Appender {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    max_event_bytes: usize,
}

impl Appender {
    pub(super) fn new(max_event_bytes: usize) -> (Self, mpsc::Receiver<Waiting>) {
        let (queue, waiting) = mpsc::channel(QUEUE_REQUESTS);
        (Self { queue, room: Arc::new(Semaphore::new(QUEUE_BYTES)), max_event_bytes }, waiting)
    }

    pub async fn append(&self, request: AppendRequest) -> Verdict {
        self.submit(request, None)?.verdict().await
    }

    /// Hands in a request that was decided on the events of `after`, which may still be waiting: if
    /// those are refused, so is the request. Requests for one stream are appended in the order in which
    /// they are handed in.
    pub fn submit(
        &self,
        request: AppendRequest,
        after: Option<Fate>,
    ) -> Result<Submitted, AppendError> {
        let bytes = self.weigh(&request)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        let room = room.map_err(|_| AppendError::Overloaded)?;
        let (caller, verdict) = oneshot::channel();
        let fate = Fate::default();
        let reply = Reply { deciding: Deciding::new(fate.clone()), verdict: caller, room };
        let waiting = Waiting { request, after, reply };
        self.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
        })?;
        Ok(Submitted { fate, verdict })
    }

    /// Hands in requests that were each decided on the events of the one before it.
    pub async fn append_chain(&self, requests: Vec<AppendRequest>) -> Vec<Verdict> {
        let mut handed_in: Vec<Result<Submitted, AppendError>> = Vec::new();
        for request in requests {
            let submitted = match handed_in.last() {
                Some(Err(error)) => Err(error.clone()),
                Some(Ok(before)) => self.submit(request, Some(before.fate.clone())),
                None => self.submit(request, None),
            };
            handed_in.push(submitted);
        }
        let mut verdicts = Vec::with_capacity(handed_in.len());
        for submitted in handed_in {
            verdicts.push(match submitted {
                Ok(submitted) => submitted.verdict().await,
                Err(error) => Err(error),
            });
        }
        verdicts
    }

    fn weigh(&self, request: &AppendRequest) -> Result<u32, AppendError> {
        let largest = request.events.iter().map(|event| event.payload.get().len()).max();
        let bytes = request.bytes();
        let limits = [
            ("bytes in an event", largest.unwrap_or_default(), self.max_event_bytes),
            ("events in a request", request.events.len(), REQUEST_EVENTS),
            ("bytes in a request", bytes, REQUEST_BYTES as usize),
        ];
        for (what, given, max) in limits {
            if given > max {
                return Err(AppendError::TooLarge { what, given, max });
            }
        }
        Ok(u32::try_from(bytes).unwrap_or(REQUEST_BYTES))
    }
}
