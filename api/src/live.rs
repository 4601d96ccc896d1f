//! What live answers have in common: their number is bounded and counted, and their form.

use std::{
    collections::HashMap,
    io,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use domain::ids::{ApiKeyId, OrganizationId, SessionId, UserId};
use futures::Stream;
use poem::{Body, IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::problem::{Code, Problem};

const CONTENT_TYPE: &str = "text/event-stream";

/// Milliseconds after which a client shall come back.
pub(crate) const RETRY_MS: u64 = 2000;
/// Streams last: a place for one more is not to be had at once.
const RETRY_AFTER_S: u64 = 5;

/// Live streams open now.
pub(crate) struct Slots {
    limit: u32,
    limit_of_key: u32,
    stop: CancellationToken,
    open: Arc<Mutex<Open>>,
}

/// Whose rights a stream rests on: it ends with any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    pub org: OrganizationId,
    /// The member who acts, or in whose place the key does.
    pub user: Option<UserId>,
    pub key: Option<ApiKeyId>,
    pub session: Option<SessionId>,
    /// How long it takes until the key ends by itself.
    pub ends_in: Option<Duration>,
}

#[derive(Default)]
struct Open {
    all: u32,
    /// By key, or by user. Whoever has none is not held.
    keys: HashMap<Uuid, u32>,
    last: u64,
    streams: HashMap<u64, (Holder, CancellationToken)>,
}

/// Held by a live stream for as long as it lives.
pub(crate) struct Slot {
    key: Uuid,
    number: u64,
    ended: CancellationToken,
    open: Arc<Mutex<Open>>,
}

impl Slots {
    /// Every stream ends when it is told to `stop`.
    pub fn new(limit: u32, limit_of_key: u32, stop: CancellationToken) -> Self {
        Self { limit, limit_of_key, stop, open: Arc::default() }
    }

    /// Ends the streams that rest on a right that is over. Their clients come back, and are asked who
    /// they are.
    pub fn end(&self, is_over: impl Fn(&Holder) -> bool) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let over = open.streams.values().filter(|(holder, _)| is_over(holder));
        over.for_each(|(_, ended)| ended.cancel());
    }

    /// How many are open on this replica.
    pub fn count(&self) -> u32 {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    pub fn take(&self, key: Uuid, holder: Holder) -> Result<Slot, Problem> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.keys.get(&key).is_some_and(|count| *count >= self.limit_of_key) {
            let most = self.limit_of_key;
            let detail = format!("this key or user has {most} live streams open, the most it may");
            return Err(Problem::new(Code::TooManyStreams, detail).retry_after(RETRY_AFTER_S));
        }
        if open.all >= self.limit {
            metrics::counter!("http_refused_total", "reason" => "streams").increment(1);
            let detail = "as many live streams are open as there may be";
            return Err(Problem::new(Code::Overloaded, detail).retry_after(RETRY_AFTER_S));
        }
        open.all += 1;
        *open.keys.entry(key).or_default() += 1;
        open.last += 1;
        let (number, ended) = (open.last, self.stop.child_token());
        if let Some(ends_in) = holder.ends_in {
            let ended = ended.clone();
            tokio::spawn(async move {
                if ended.run_until_cancelled(tokio::time::sleep(ends_in)).await.is_some() {
                    ended.cancel();
                }
            });
        }
        open.streams.insert(number, (holder, ended.clone()));
        metrics::gauge!("sse_clients").increment(1.0);
        Ok(Slot { key, number, ended, open: Arc::clone(&self.open) })
    }
}

impl Slot {
    /// Cancelled when the stream has to end: its right is over, or the server shuts down.
    pub fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    pub fn is_over(&self) -> bool {
        self.ended.is_cancelled()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        metrics::gauge!("sse_clients").decrement(1.0);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        open.streams.remove(&self.number);
        self.ended.cancel();
        if let Some(count) = open.keys.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.keys.remove(&self.key);
            }
        }
    }
}

/// The head of every event stream: when to come back.
pub(crate) fn opening() -> Bytes {
    format!("retry: {RETRY_MS}\n\n").into()
}

/// A sign of life. It moves the last event id of the client to `id`, so that it resumes from there.
pub(crate) fn alive(id: u64) -> Bytes {
    format!(": alive\nid: {id}\n\n").into()
}

/// One event. `data` must be of one line, as JSON is.
pub(crate) fn event(id: u64, name: &str, data: &str) -> Bytes {
    format!("id: {id}\nevent: {name}\ndata: {data}\n\n").into()
}

/// An answer of the type `text/event-stream`, whose events carry `T` as JSON.
pub(crate) struct Live<T> {
    response: Response,
    of: PhantomData<fn() -> T>,
}

impl<T> Live<T> {
    pub fn new(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        let response = Response::builder()
            .content_type(CONTENT_TYPE)
            .header("x-accel-buffering", "no")
            .body(Body::from_bytes_stream(stream));
        Self { response, of: PhantomData }
    }
}

impl<T: Send> IntoResponse for Live<T> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<T: Type> ApiResponse for Live<T> {
    fn meta() -> MetaResponses {
        let schema = MetaSchema {
            items: Some(Box::new(T::schema_ref())),
            ..MetaSchema::new_with_format("array", "event-stream")
        };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Server-sent events, without an end of their own.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: CONTENT_TYPE,
                    schema: MetaSchemaRef::Inline(Box::new(schema)),
                }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(key: Uuid) -> Holder {
        let (org, key) = (OrganizationId::from_uuid(key), Some(ApiKeyId::from_uuid(key)));
        Holder { org, user: None, key, session: None, ends_in: None }
    }

    #[test]
    fn a_stream_ends_with_the_right_that_it_rests_on() {
        let stop = CancellationToken::new();
        let slots = Slots::new(9, 9, stop.clone());
        let [one, other] = [1, 2].map(Uuid::from_u128);
        let [first, second] = [one, other].map(|key| slots.take(key, holder(key)).unwrap());
        slots.end(|holder| holder.key == Some(ApiKeyId::from_uuid(one)));
        assert!(first.ended().is_cancelled() && !second.ended().is_cancelled());
        stop.cancel();
        assert!(second.ended().is_cancelled());
    }

    #[test]
    fn a_key_gets_its_streams_back_when_they_end() {
        let slots = Slots::new(3, 2, CancellationToken::new());
        let [key, other] = [0, 1].map(Uuid::from_u128);
        let first = slots.take(key, holder(key)).unwrap();
        let _second = slots.take(key, holder(key)).unwrap();
        assert_eq!(slots.take(key, holder(key)).err().unwrap().code, Code::TooManyStreams);
        let third = slots.take(other, holder(other)).unwrap();
        assert_eq!(slots.take(other, holder(other)).err().unwrap().code, Code::Overloaded);
        drop((first, third));
        assert!(slots.take(key, holder(key)).is_ok());
    }
}
