//! The work queue `JOBS`: pointers to jobs that were released to the workers.
//!
//! A message is never more than a pointer, so losing all of them loses no job: whoever finds the
//! stream or a consumer missing makes it again, and the sweeper releases what was in it once more.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    header::NATS_MESSAGE_ID,
    jetstream::{
        ErrorCode,
        consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
        context::PublishErrorKind,
        stream::{
            Config, ConsumerErrorKind, DiscardPolicy, RawMessageErrorKind, RetentionPolicy,
            StorageType,
        },
    },
};
use bytes::Bytes;
use domain::jobs::{JobKind, Priority};
use futures::{Stream, StreamExt, future};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::Bus;

const NAME: &str = "JOBS";
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// Jobs are released only a little ahead of the workers; more means that something is wrong.
const MAX_RELEASED: i64 = 100_000;
const MAX_MESSAGE_BYTES: i32 = 4096;

/// Which attempt of which job to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobPointer {
    pub job: String,
    pub attempt: u32,
}

impl JobPointer {
    /// Reads what a message of the stream holds. What is no id cannot be looked up anywhere, so a
    /// pointer with one is refused here and not offered again for ever.
    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        let pointer: Self = serde_json::from_slice(payload).map_err(Error::Decode)?;
        token(&pointer.job)?;
        Ok(pointer)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{action} failed")]
    Nats {
        action: &'static str,
        #[source]
        source: async_nats::Error,
    },
    #[error("`{0}` cannot be part of a subject")]
    Token(String),
    #[error("a job pointer could not be written as JSON")]
    Encode(#[from] serde_json::Error),
    #[error("this is no job pointer")]
    Decode(#[source] serde_json::Error),
}

impl Error {
    fn nats(action: &'static str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Self {
        move |source| Self::Nats { action, source }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct JobStream {
    bus: Bus,
    stream: String,
}

impl JobStream {
    pub async fn open(bus: &Bus) -> Result<Self, Error> {
        let jobs = Self { bus: bus.clone(), stream: bus.stream(NAME) };
        jobs.ensure().await?;
        Ok(jobs)
    }

    /// Releases an attempt. `release` counts the releases of the job: the same one is stored once.
    /// Returns the sequence under which it is held until a worker is done with it.
    pub async fn publish(
        &self,
        kind: JobKind,
        priority: Priority,
        pointer: &JobPointer,
        release: u64,
    ) -> Result<u64, Error> {
        let subject = format!("jobs.{}.{}", kind.as_str(), priority.as_str());
        let subject = self.bus.subject(&subject);
        token(&pointer.job)?;
        let mut headers = HeaderMap::new();
        let id = format!("{}/{}/{release}", pointer.job, pointer.attempt);
        headers.insert(NATS_MESSAGE_ID, id);
        let payload = Bytes::from(serde_json::to_vec(pointer)?);
        let mut made = false;
        loop {
            let sent = self
                .bus
                .jetstream()
                .publish_with_headers(subject.clone(), headers.clone(), payload.clone())
                .await;
            let ack = match sent {
                Ok(ack) => ack.await,
                Err(error) => Err(error),
            };
            match ack {
                Ok(ack) => return Ok(ack.sequence),
                Err(error) if error.kind() == PublishErrorKind::StreamNotFound && !made => {
                    self.ensure().await?;
                    made = true;
                }
                Err(error) => return Err(Error::nats("releasing a job")(error.into())),
            }
        }
    }

    /// Whether a release is still in the stream: no worker is done with it.
    pub async fn holds(&self, sequence: u64) -> Result<bool, Error> {
        let stream = self.bus.jetstream().get_stream_no_info(&self.stream).await;
        let stream = stream.map_err(|error| Error::nats("naming the jobs stream")(error.into()))?;
        match stream.get_raw_message(sequence).await {
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                RawMessageErrorKind::NoMessageFound => Ok(false),
                RawMessageErrorKind::JetStream(cause)
                    if cause.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(false)
                }
                _ => Err(Error::nats("looking for a release")(error.into())),
            },
        }
    }

    /// The durable consumer of a kind, over all priorities. A message that is not answered within
    /// `ack_wait` is delivered again, for ever: the budget of attempts is the job's own.
    pub async fn consumer(
        &self,
        kind: JobKind,
        ack_wait: Duration,
        max_ack_pending: i64,
    ) -> Result<PullConsumer, Error> {
        let config = pull::Config {
            durable_name: Some(kind.as_str().to_owned()),
            filter_subject: self.bus.subject(&format!("jobs.{}.>", kind.as_str())),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait,
            max_deliver: -1,
            max_ack_pending,
            ..pull::Config::default()
        };
        let mut made = false;
        loop {
            let consumer =
                self.bus.jetstream().create_consumer_on_stream(config.clone(), &self.stream).await;
            let error = match consumer {
                Ok(consumer) => return Ok(consumer),
                Err(error) => error,
            };
            let missing = matches!(error.kind(), ConsumerErrorKind::JetStream(cause)
                if cause.error_code() == ErrorCode::STREAM_NOT_FOUND);
            if !missing || made {
                return Err(Error::nats("making a consumer of jobs")(error.into()));
            }
            self.ensure().await?;
            made = true;
        }
    }

    /// Tells whoever runs the job that it should end. Only a hint: the job's state says so too.
    pub async fn signal_cancel(&self, job: &str) -> Result<(), Error> {
        let subject = self.bus.subject(&format!("cancel.{}", token(job)?));
        let sent = self.bus.client().publish(subject, Bytes::new()).await;
        sent.map_err(|error| Error::nats("signalling a cancellation")(error.into()))
    }

    /// The jobs that should end, as they are signalled.
    pub async fn cancellations(
        &self,
    ) -> Result<impl Stream<Item = String> + Send + Unpin + use<>, Error> {
        let heard = self.bus.client().subscribe(self.bus.subject("cancel.*")).await;
        let heard = heard.map_err(|error| Error::nats("listening to signals")(error.into()))?;
        Ok(heard.filter_map(|signal| {
            future::ready(signal.subject.rsplit('.').next().map(ToOwned::to_owned))
        }))
    }

    async fn ensure(&self) -> Result<(), Error> {
        let config = Config {
            name: self.stream.clone(),
            description: Some("jobs that were released to the workers".to_owned()),
            subjects: vec![self.bus.subject("jobs.>")],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            max_messages: MAX_RELEASED,
            max_message_size: MAX_MESSAGE_BYTES,
            storage: StorageType::File,
            num_replicas: self.bus.replicas(),
            duplicate_window: DUPLICATE_WINDOW,
            first_sequence: Some(fresh_sequence()),
            ..Config::default()
        };
        self.bus.ensure(config).await.map_err(Error::nats("making the jobs stream"))?;
        Ok(())
    }
}

/// Where a stream starts that must not be taken for the one that was lost: whoever remembers a
/// sequence of that one finds nothing under it. Below 2^53, which every JSON reader keeps.
pub(crate) fn fresh_sequence() -> u64 {
    rand::rng().random_range(1..1_u64 << 20) << 32
}

/// A part of a subject that cannot reach into another one.
pub(crate) fn token(text: &str) -> Result<&str, Error> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.is_empty() || text.len() > 128 || !text.chars().all(fits) {
        return Err(Error::Token(text.chars().take(128).collect()));
    }
    Ok(text)
}
