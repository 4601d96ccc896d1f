//! The stream `EVENTS` and how it compares with the log.

use std::time::Duration;

use async_nats::{
    header::NATS_MESSAGE_ID,
    jetstream::{
        ErrorCode,
        context::GetStreamErrorKind,
        stream::{
            Config, DiscardPolicy, Info, RawMessageErrorKind, RetentionPolicy, StorageType, Stream,
        },
    },
};

use super::{Error, log::Identity};
use crate::{Bus, Journal};

const NAME: &str = "EVENTS";
const LOG_ID: &str = "millrace-log-id";
const EPOCH: &str = "millrace-epoch";
/// The sequence that each event expects refuses every repeat; of the ids of the window the server
/// keeps each one in memory, millions while a stream is made again.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(1);

/// A stream of this log. One of another log is an [`Error`].
pub(super) enum Standing {
    /// It holds the log up to its last sequence.
    Sound,
    /// It has to be made again, and why.
    Broken(&'static str),
}

pub(super) fn name(bus: &Bus) -> String {
    bus.stream(NAME)
}

/// Messages are never deleted one by one: that would leave a hole between positions. A purge stays
/// possible for an operator whose disk is full; the relay then makes the stream again.
pub(super) fn config(bus: &Bus, identity: Identity, max_bytes: Option<u64>) -> Config {
    Config {
        name: name(bus),
        description: Some("every event of the log; sequence is position".to_owned()),
        subjects: vec![bus.subject("events.>")],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_bytes: max_bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
        storage: StorageType::File,
        num_replicas: bus.replicas(),
        duplicate_window: DUPLICATE_WINDOW,
        deny_delete: true,
        allow_direct: true,
        metadata: [
            (LOG_ID.to_owned(), identity.log_id.to_string()),
            (EPOCH.to_owned(), identity.epoch.to_string()),
        ]
        .into(),
        ..Config::default()
    }
}

pub(super) async fn find(bus: &Bus) -> Result<Option<Stream>, Error> {
    match bus.jetstream().get_stream(name(bus)).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(cause)
                if cause.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            _ => Err(Error::nats("looking for the stream")(error.into())),
        },
    }
}

pub(super) async fn create(bus: &Bus, config: Config) -> Result<Stream, Error> {
    let created = bus.jetstream().create_stream(config).await;
    created.map_err(|error| Error::nats("creating the stream")(error.into()))
}

pub(super) async fn delete(bus: &Bus) -> Result<(), Error> {
    if find(bus).await?.is_none() {
        return Ok(());
    }
    let deleted = bus.jetstream().delete_stream(name(bus)).await;
    deleted.map_err(|error| Error::nats("deleting the stream")(error.into()))?;
    Ok(())
}

/// Brings the settings of a stream to what they should be.
pub(super) async fn adjust(bus: &Bus, info: &Info, wanted: Config) -> Result<(), Error> {
    let has = &info.config;
    if has.subjects == wanted.subjects
        && has.max_bytes == wanted.max_bytes
        && has.num_replicas == wanted.num_replicas
        && has.duplicate_window == wanted.duplicate_window
    {
        return Ok(());
    }
    let updated = bus.jetstream().update_stream(wanted).await;
    updated.map_err(|error| Error::nats("changing the stream's settings")(error.into()))?;
    Ok(())
}

/// Compares the stream, of which `info` was asked just now, with the log.
pub(super) async fn compare(
    journal: &Journal,
    stream: &Stream,
    info: &Info,
    identity: Identity,
) -> Result<Standing, Error> {
    if owner(info, identity)? < identity.epoch {
        return Ok(Standing::Broken("it is of the epoch before the last rebuild"));
    }
    let last = info.state.last_sequence;
    if last == 0 {
        return Ok(Standing::Sound);
    }
    let head = journal.head().await?;
    if last > head {
        return Err(Error::Ahead { last, head });
    }
    if !is_same_event(journal, stream, last).await? {
        return Ok(Standing::Broken("its last message is gone"));
    }
    if !is_whole(info) {
        return Ok(Standing::Broken("messages are missing from it"));
    }
    Ok(Standing::Sound)
}

/// Whether the stream holds everything up to its last sequence, but for what retention takes.
pub(super) fn is_whole(info: &Info) -> bool {
    let (state, bounded) = (&info.state, info.config.max_bytes > 0);
    state.last_sequence == 0
        || state.messages > 0
            && state.messages == state.last_sequence - state.first_sequence + 1
            && (bounded || state.first_sequence == 1)
}

pub(super) fn is_of(info: &Info, identity: Identity) -> bool {
    owner(info, identity).is_ok_and(|epoch| epoch == identity.epoch)
}

/// The epoch of a stream of this log.
fn owner(info: &Info, identity: Identity) -> Result<i32, Error> {
    let metadata = &info.config.metadata;
    let owner = metadata.get(LOG_ID).map_or("nobody", String::as_str);
    let epoch = metadata.get(EPOCH).and_then(|epoch| epoch.parse().ok());
    match epoch {
        Some(epoch) if owner == identity.log_id.to_string() => {
            if epoch > identity.epoch {
                return Err(Error::LaterEpoch { stream: epoch, log: identity.epoch });
            }
            Ok(epoch)
        }
        _ => Err(Error::OtherLog { stream: info.config.name.clone(), owner: owner.to_owned() }),
    }
}

/// Whether stream and log hold the same event at a position; `false` when the stream holds none.
async fn is_same_event(journal: &Journal, stream: &Stream, position: u64) -> Result<bool, Error> {
    let message = match stream.get_raw_message(position).await {
        Ok(message) => message,
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(false),
        Err(error) => return Err(Error::nats("reading the last message")(error.into())),
    };
    let found = message.headers.get(NATS_MESSAGE_ID).map_or("none", |id| id.as_str());
    let Some(expected) = journal.at(position).await?.map(|event| event.event_id) else {
        return Err(Error::Ahead { last: position, head: journal.head().await? });
    };
    if found != expected.to_string() {
        return Err(Error::Forked { position, found: found.to_owned(), expected });
    }
    Ok(true)
}
