//! The log for its readers: pages, server-sent events and WebSocket, all read from Postgres by
//! position and woken by the head of the log.

mod follow;
mod model;
mod socket;

use poem::web::websocket::WebSocket;
use poem_openapi::{
    OpenApi,
    param::{Header, Query},
};

use crate::{
    auth::Caller,
    document::Tag,
    live::Live,
    problem::Problem,
    read::{DEFAULT_LIMIT, Read},
    state::App,
};
use follow::Follow;
pub(crate) use model::Envelope;
use model::{EventPage, Wanted};
use socket::Upgraded;

const MAX_LIMIT: u32 = 500;

pub(crate) struct Events {
    pub app: App,
}

#[OpenApi(tag = "Tag::Events")]
impl Events {
    /// Read the log
    ///
    /// Events of the organisation after a position, in order.
    #[oai(path = "/v1/events", method = "get", operation_id = "list_events")]
    async fn list(
        &self,
        caller: Caller,
        /// Position after which to read; 0 is the beginning.
        after: Query<Option<u64>>,
        /// Most events of the answer; a page of large events may hold fewer.
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<Option<u32>>,
        /// Names of event types, separated by commas.
        types: Query<Option<String>>,
        /// Only events of this resource.
        aggregate_id: Query<Option<String>>,
    ) -> Result<Read<EventPage>, Problem> {
        let wanted = Wanted::new(types.0.as_deref(), aggregate_id.0.as_deref())?;
        let limit = limit.0.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT);
        let stop = self.app.stop.clone();
        let mut follow =
            Follow::new(&self.app, wanted.filter(caller.org), after.0.unwrap_or(0), stop).await?;
        let mut events = Vec::new();
        let mut bytes = 0;
        while events.len() < limit as usize && bytes < model::MAX_PAGE_BYTES {
            let page = follow.page(limit - events.len() as u32).await?;
            bytes += page.iter().map(|event| event.payload.get().len()).sum::<usize>();
            events.extend(page.iter().map(Envelope::from));
            if follow.at_head() {
                break;
            }
        }
        let (next_after, head) = (follow.position(), follow.head());
        Ok(Read::new(EventPage { events, next_after }, head))
    }

    /// Follow the log
    ///
    /// Server-sent events: the id is the position, the event is its type, the data its envelope.
    /// Sending the last id as `Last-Event-ID` resumes exactly after it.
    #[oai(path = "/v1/events/stream", method = "get", operation_id = "stream_events")]
    async fn stream(
        &self,
        caller: Caller,
        /// Position after which to begin; without it, with what happens from now on.
        after: Query<Option<u64>>,
        /// Names of event types, separated by commas.
        types: Query<Option<String>>,
        /// Only events of this resource.
        aggregate_id: Query<Option<String>>,
        /// Set by browsers when they come back; stronger than `after`.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<u64>>,
    ) -> Result<Live<Envelope>, Problem> {
        let wanted = Wanted::new(types.0.as_deref(), aggregate_id.0.as_deref())?;
        let slot = caller.open_stream(&self.app).await?;
        let after = match last_event_id.0.or(after.0) {
            Some(after) => after,
            None => follow::head(&self.app).await?,
        };
        let (filter, stop) = (wanted.filter(caller.org), slot.ended().clone());
        let follow = Follow::new(&self.app, filter, after, stop).await?;
        Ok(Live::new(follow.into_event_stream(slot)))
    }

    /// Follow the log over WebSocket
    ///
    /// The first message of the client is `{"after": 17, "types": ["scan.completed"],
    /// "aggregate_id": "scan_..."}`, every field optional; then each message of the server is an
    /// envelope.
    #[oai(path = "/v1/events/ws", method = "get", operation_id = "follow_events")]
    async fn socket(&self, caller: Caller, socket: WebSocket) -> Result<Upgraded, Problem> {
        let slot = caller.open_stream(&self.app).await?;
        let app = self.app.clone();
        Ok(socket::upgraded(socket, app, caller.org, slot))
    }
}
