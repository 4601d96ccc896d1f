//! The durable consumers of the stream, when the stream loses messages under them.

use async_nats::jetstream::{
    consumer::{self, DeliverPolicy},
    stream::Stream,
};
use futures::TryStreamExt;

use super::Error;

pub(super) async fn durables(stream: &Stream) -> Result<Vec<consumer::Info>, Error> {
    let all = stream.consumers().try_collect::<Vec<_>>().await;
    let mut all = all.map_err(|error| Error::nats("listing the consumers")(error.into()))?;
    all.retain(|consumer| consumer.config.durable_name.is_some());
    Ok(all)
}

/// Sets back the consumers that were delivered more than the stream now holds. They would
/// otherwise take no notice of what is published again.
pub(super) async fn set_back(
    stream: &Stream,
    durables: Vec<consumer::Info>,
    last: u64,
) -> Result<(), Error> {
    for consumer in durables {
        let delivered = consumer.delivered.stream_sequence;
        if delivered <= last {
            continue;
        }
        tracing::warn!(
            consumer = consumer.name,
            delivered,
            last,
            "a consumer is ahead of its stream and is set back"
        );
        metrics::counter!("relay_consumers_reset_total").increment(1);
        if let Err(error) = stream.delete_consumer(&consumer.name).await {
            tracing::debug!(%error, consumer = consumer.name, "consumer not deleted");
        }
        let from = consumer.ack_floor.stream_sequence.min(last) + 1;
        make(stream, consumer, DeliverPolicy::ByStartSequence { start_sequence: from }).await?;
    }
    Ok(())
}

/// Makes the consumers again on a stream that was made again. It is republished from the start,
/// and they get all of it: skipping what they had cannot be asked for while it is not there.
pub(super) async fn restore(stream: &Stream, durables: Vec<consumer::Info>) -> Result<(), Error> {
    for consumer in durables {
        tracing::warn!(consumer = consumer.name, "a consumer starts again with its stream");
        metrics::counter!("relay_consumers_reset_total").increment(1);
        make(stream, consumer, DeliverPolicy::All).await?;
    }
    Ok(())
}

async fn make(
    stream: &Stream,
    consumer: consumer::Info,
    deliver_policy: DeliverPolicy,
) -> Result<(), Error> {
    let config = consumer::Config { deliver_policy, ..consumer.config };
    let made = stream.create_consumer(config).await;
    made.map_err(|error| Error::nats("making a consumer again")(error.into()))?;
    Ok(())
}
