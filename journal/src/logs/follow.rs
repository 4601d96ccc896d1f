//! Reading a job's lines from their start, and then live.

use std::time::Duration;

use async_nats::jetstream::{
    Message,
    consumer::{
        DeliverPolicy,
        pull::{Ordered, OrderedConfig},
    },
    stream::RawMessageErrorKind,
};
use domain::ids::OrganizationId;
use futures::{StreamExt, stream, stream::BoxStream};
use tokio::time::{Instant, timeout};

use super::{Entry, Error, LogLine, LogStream, NAME, ensure};
use crate::Bus;

/// How often a quiet follower makes sure that its stream is still there.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// No job is silent for longer; its end was lost.
const MAX_SILENCE: Duration = Duration::from_secs(3600);

/// Lines with their sequences. An error is the last item.
pub type Lines = BoxStream<'static, Result<(u64, LogLine), Error>>;

struct Follower {
    bus: Bus,
    messages: Ordered,
    /// The stream's creation time: another one is another stream.
    created: i128,
    until: Until,
    heard_at: Instant,
    done: bool,
}

enum Until {
    /// The job's end.
    End,
    /// This sequence: the last line there was at the start.
    Sequence(u64),
}

/// The last message of a job.
struct Last {
    sequence: u64,
    is_end: bool,
    /// Whoever follows has it already.
    is_known: bool,
}

impl LogStream {
    /// A job's lines with their sequences: those after `after`, or all of them when that is not a
    /// sequence of the stream as it is, and then whatever comes until the job has ended.
    pub async fn follow(
        &self,
        org: OrganizationId,
        job: &str,
        after: Option<u64>,
    ) -> Result<Lines, Error> {
        let (mut follower, stored) = self.start(org, job, after).await?;
        follower.done = stored.is_some_and(|last| last.is_end && last.is_known);
        Ok(stream::unfold(follower, step).boxed())
    }

    /// A job's lines as far as they are stored now, for a job that has ended.
    pub async fn stored(
        &self,
        org: OrganizationId,
        job: &str,
        after: Option<u64>,
    ) -> Result<Lines, Error> {
        let (mut follower, stored) = self.start(org, job, after).await?;
        follower.done = stored.as_ref().is_none_or(|last| last.is_known);
        follower.until = Until::Sequence(stored.map_or(0, |last| last.sequence));
        Ok(stream::unfold(follower, step).boxed())
    }

    /// A follower, and the last of the job that is stored.
    async fn start(
        &self,
        org: OrganizationId,
        job: &str,
        after: Option<u64>,
    ) -> Result<(Follower, Option<Last>), Error> {
        let subject = self.subject(org, job)?;
        let stream = ensure(&self.bus).await?;
        let state = &stream.cached_info().state;
        let known = |after: &u64| (state.first_sequence..=state.last_sequence).contains(after);
        let after = after.filter(known);
        let last = match stream.get_last_raw_message_by_subject(&subject).await {
            Ok(message) => Some(Last {
                sequence: message.sequence,
                is_end: matches!(serde_json::from_slice(&message.payload), Ok(Entry::End)),
                is_known: after.is_some_and(|after| after >= message.sequence),
            }),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => None,
            Err(error) => return Err(Error::nats("looking for the last line")(error.into())),
        };
        let deliver_policy = match after {
            Some(after) => DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
            None => DeliverPolicy::All,
        };
        let config =
            OrderedConfig { filter_subject: subject, deliver_policy, ..OrderedConfig::default() };
        let consumer = stream.create_consumer(config).await;
        let consumer = consumer.map_err(|error| Error::nats("reading lines")(error.into()))?;
        let messages = consumer.messages().await;
        let follower = Follower {
            bus: self.bus.clone(),
            messages: messages.map_err(|error| Error::nats("reading lines")(error.into()))?,
            created: stream.cached_info().created.unix_timestamp_nanos(),
            until: Until::End,
            heard_at: Instant::now(),
            done: false,
        };
        Ok((follower, last))
    }
}

async fn step(mut follower: Follower) -> Option<(Result<(u64, LogLine), Error>, Follower)> {
    if follower.done {
        return None;
    }
    let next = follower.next().await.transpose()?;
    follower.done |= next.is_err();
    Some((next, follower))
}

impl Follower {
    async fn next(&mut self) -> Result<Option<(u64, LogLine)>, Error> {
        loop {
            match timeout(CHECK_INTERVAL, self.messages.next()).await {
                Ok(Some(Ok(message))) => {
                    self.heard_at = Instant::now();
                    match self.read(&message)? {
                        Some((sequence, Entry::Line(line))) => return Ok(Some((sequence, line))),
                        Some((_, Entry::End)) => return Ok(None),
                        None if self.done => return Ok(None),
                        None => {}
                    }
                }
                Ok(Some(Err(error))) => return Err(Error::nats("reading lines")(error.into())),
                Ok(None) => return Err(Error::Lost),
                Err(_) => self.check().await?,
            }
        }
    }

    /// What a message holds; `None` when that is not readable.
    fn read(&mut self, message: &Message) -> Result<Option<(u64, Entry)>, Error> {
        let info = message.info().map_err(Error::nats("reading a line"))?;
        let sequence = info.stream_sequence;
        self.done |= matches!(self.until, Until::Sequence(last) if sequence >= last);
        match serde_json::from_slice(&message.payload) {
            Ok(entry) => Ok(Some((sequence, entry))),
            Err(error) => {
                tracing::warn!(%error, sequence, "a line of a job is not readable");
                Ok(None)
            }
        }
    }

    /// A follower of a stream that was lost would wait for an end that is lost as well.
    async fn check(&mut self) -> Result<(), Error> {
        if self.heard_at.elapsed() >= MAX_SILENCE {
            return Err(Error::Silent(MAX_SILENCE));
        }
        let stream = match self.bus.jetstream().get_stream(self.bus.stream(NAME)).await {
            Ok(stream) => stream,
            Err(error) => {
                use async_nats::jetstream::context::GetStreamErrorKind::JetStream;
                // While the server is away nothing is known to be lost.
                let lost = matches!(error.kind(), JetStream(_));
                return if lost { Err(Error::Lost) } else { Ok(()) };
            }
        };
        let same = stream.cached_info().created.unix_timestamp_nanos() == self.created;
        if same { Ok(()) } else { Err(Error::Lost) }
    }
}
