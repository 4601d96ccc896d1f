//! Publishes events with many of them in flight, and follows their acknowledgements.
//!
//! Every message names the sequence it must follow, so the stream takes each event at its own
//! position or not at all, whoever else publishes. For the same reason one acknowledgement speaks for
//! all events before it, and only some are asked for: had the stream refused one, it would refuse every
//! later one too. They come to one subject of the session with the position as its last token.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use async_nats::{
    StatusCode, Subscriber,
    client::PublishError,
    jetstream::{ErrorCode, publish::PublishAck, response::Response},
};
use futures::{FutureExt, StreamExt};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    Error, Footing, Relay,
    log::{self, Identity},
    message::{Envelope, Message},
    source::{Outgoing, Source},
    stream,
};
/// An acknowledgement costs the server nearly as much as the event.
const ACK_EVERY: usize = 32;
/// Payloads in flight; they wait in memory until they are sent.
const WINDOW_BYTES: usize = 16 * 1024 * 1024;
const TICK: Duration = Duration::from_millis(250);
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// How often an idle relay makes sure that its stream is still there.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// What is in flight at the end may take so long to be answered.
const DRAIN: Duration = Duration::from_secs(2);

/// Why publishing ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Stopped,
    /// Somebody else has published the event.
    Conflict,
    /// It is not known what the stream holds.
    Unsure(&'static str),
}

pub(super) struct Pipeline<'a> {
    relay: &'a Relay,
    identity: Identity,
    envelope: Envelope,
    stream: String,
    /// The stream's creation time: another one is another stream.
    created: i128,
    inbox: String,
    acks: Subscriber,
    in_flight: VecDeque<(u64, usize)>,
    bytes_in_flight: usize,
    unanswered: usize,
    /// Events sent since an acknowledgement was asked for.
    unasked: usize,
    acked: u64,
    checkpoint: u64,
    progress_at: Instant,
    checkpoint_at: Instant,
    checked_at: Instant,
}

impl<'a> Pipeline<'a> {
    pub async fn open(relay: &'a Relay, footing: &Footing) -> Result<Self, Error> {
        let client = relay.bus.client();
        let inbox = client.new_inbox();
        let acks = client.subscribe(format!("{inbox}.*")).await;
        let now = Instant::now();
        Ok(Self {
            relay,
            identity: footing.identity,
            envelope: Envelope::new(&relay.bus, &footing.identity),
            stream: stream::name(&relay.bus),
            created: footing.created,
            inbox,
            acks: acks.map_err(|error| Error::nats("listening for acks")(error.into()))?,
            in_flight: VecDeque::with_capacity(relay.options.window),
            bytes_in_flight: 0,
            unanswered: 0,
            // The first event has to tell why, if the stream does not take it.
            unasked: ACK_EVERY - 1,
            acked: footing.last,
            checkpoint: footing.last,
            progress_at: now,
            checkpoint_at: now,
            checked_at: now,
        })
    }

    /// The position up to which the stream is known to hold the log.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Publishes until told to stop or until something is in doubt.
    pub async fn run(
        &mut self,
        mut disconnects: watch::Receiver<u64>,
        stop: &CancellationToken,
    ) -> Result<Ended, Error> {
        let ended = self.publish(&mut disconnects, stop).await;
        if matches!(ended, Ok(Ended::Conflict | Ended::Stopped) | Err(Error::Rejected(_))) {
            self.drain().await;
            self.save_checkpoint().await?;
        }
        ended
    }

    async fn publish(
        &mut self,
        disconnects: &mut watch::Receiver<u64>,
        stop: &CancellationToken,
    ) -> Result<Ended, Error> {
        let mut source = Source::after(&self.relay.journal, self.acked);
        let mut page = VecDeque::new();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Some(ended) = self.send(&mut page).await? {
                return Ok(ended);
            }
            let ended = tokio::select! {
                ack = self.acks.next() => self.take(ack)?,
                next = source.next(), if page.is_empty() => match next {
                    Some(events) => { page = events?.into(); None }
                    None => Some(Ended::Unsure("the reader of the log has ended")),
                },
                _ = ticks.tick() => self.tick().await?,
                _ = disconnects.changed() => Some(Ended::Unsure("the connection was lost")),
                () = stop.cancelled() => Some(Ended::Stopped),
            };
            if let Some(ended) = ended {
                return Ok(ended);
            }
        }
    }

    async fn send(&mut self, page: &mut VecDeque<Outgoing>) -> Result<Option<Ended>, Error> {
        while self.has_room() {
            let Some(event) = page.pop_front() else { break };
            let position = event.position;
            let message = self.envelope.wrap(event);
            if self.in_flight.is_empty() {
                self.progress_at = Instant::now();
            }
            self.in_flight.push_back((position, message.payload.len()));
            self.bytes_in_flight += message.payload.len();
            self.unasked += 1;
            let asks = self.unasked >= ACK_EVERY || page.is_empty() || !self.has_room();
            if asks {
                self.unasked = 0;
                self.unanswered += 1;
            }
            let sending = self.post(message, asks.then_some(position));
            match timeout(self.relay.options.ack_timeout, sending).await {
                Ok(sent) => sent.map_err(|error| Error::nats("publishing")(error.into()))?,
                Err(_) => return Ok(Some(Ended::Unsure("the connection takes no more messages"))),
            }
        }
        Ok(None)
    }

    /// Hands the message over to the connection, which is to be answered for `asked`.
    async fn post(&self, message: Message, asked: Option<u64>) -> Result<(), PublishError> {
        let Message { subject, headers, payload } = message;
        let client = self.relay.bus.client();
        match asked {
            Some(position) => {
                let reply = format!("{}.{position}", self.inbox);
                client.publish_with_reply_and_headers(subject, reply, headers, payload).await
            }
            None => client.publish_with_headers(subject, headers, payload).await,
        }
    }

    fn has_room(&self) -> bool {
        self.in_flight.len() < self.relay.options.window && self.bytes_in_flight < WINDOW_BYTES
    }

    /// Takes an acknowledgement and whatever others have come with it.
    fn take(&mut self, ack: Option<async_nats::Message>) -> Result<Option<Ended>, Error> {
        let before = self.acked;
        let mut taken = self.take_one(ack);
        while let Ok(None) = taken
            && let Some(ack) = self.acks.next().now_or_never()
        {
            taken = self.take_one(ack);
        }
        if self.acked > before {
            self.progress_at = Instant::now();
            metrics::counter!("relay_published_total").increment(self.acked - before);
        }
        taken
    }

    fn take_one(&mut self, ack: Option<async_nats::Message>) -> Result<Option<Ended>, Error> {
        let Some(ack) = ack else {
            return Ok(Some(Ended::Unsure("the subscription for acks has ended")));
        };
        self.unanswered = self.unanswered.saturating_sub(1);
        if ack.status == Some(StatusCode::NO_RESPONDERS) {
            return Ok(Some(Ended::Unsure("no stream takes the events")));
        }
        let position = ack.subject.rsplit('.').next().and_then(|token| token.parse::<u64>().ok());
        match serde_json::from_slice(&ack.payload) {
            Ok(Response::Ok(PublishAck { sequence, stream, duplicate, .. })) => {
                if Some(sequence) != position || stream != self.stream {
                    return Ok(Some(Ended::Unsure("an event was stored in another place")));
                }
                self.settle(sequence);
                Ok(duplicate.then_some(Ended::Conflict))
            }
            Ok(Response::Err { error })
                if error.error_code() == ErrorCode::STREAM_WRONG_LAST_SEQUENCE =>
            {
                Ok(Some(Ended::Conflict))
            }
            Ok(Response::Err { error }) => Err(Error::Rejected(error.to_string())),
            Err(error) => Err(Error::nats("reading an ack")(error.into())),
        }
    }

    /// Each event follows the one before it, so everything up to `position` is stored.
    fn settle(&mut self, position: u64) {
        while let Some((_, bytes)) = self.in_flight.pop_front_if(|(sent, _)| *sent <= position) {
            self.bytes_in_flight -= bytes;
        }
        self.acked = self.acked.max(position);
    }

    async fn tick(&mut self) -> Result<Option<Ended>, Error> {
        self.relay.show_lag(self.acked);
        if self.acked != self.checkpoint && self.checkpoint_at.elapsed() >= CHECKPOINT_INTERVAL {
            self.save_checkpoint().await?;
        }
        let busy = !self.in_flight.is_empty();
        if busy && self.progress_at.elapsed() >= self.relay.options.ack_timeout {
            return Ok(Some(Ended::Unsure("acknowledgements are missing")));
        }
        if self.checked_at.elapsed() < CHECK_INTERVAL {
            return Ok(None);
        }
        self.checked_at = Instant::now();
        let Some(stream) = stream::find(&self.relay.bus).await? else {
            return Ok(Some(Ended::Unsure("the stream is gone")));
        };
        self.relay.lost.make_again(&stream).await;
        let info = stream.cached_info();
        let last = info.state.last_sequence;
        let same = info.created.unix_timestamp_nanos() == self.created
            && stream::is_whole(info)
            && (last == self.acked || busy && last > self.acked);
        Ok((!same).then_some(Ended::Unsure("the stream has changed")))
    }

    async fn save_checkpoint(&mut self) -> Result<(), Error> {
        let journal = &self.relay.journal;
        let now = journal.clock().now();
        log::save_checkpoint(journal.pool(), self.identity, self.acked, now).await?;
        self.checkpoint = self.acked;
        self.checkpoint_at = Instant::now();
        Ok(())
    }

    /// Waits for what is in flight, so that whoever looks at the stream next sees it settled.
    async fn drain(&mut self) {
        let deadline = tokio::time::Instant::now() + DRAIN;
        while self.unanswered > 0 {
            let Ok(ack) = timeout_at(deadline, self.acks.next()).await else { return };
            let ended = ack.is_none();
            // What is refused now follows from what was refused before.
            let _ = self.take(ack);
            if ended {
                return;
            }
        }
    }
}
