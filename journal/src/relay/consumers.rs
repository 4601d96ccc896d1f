//! The durable consumers of the stream, when the stream loses messages under them.

use std::collections::BTreeMap;

use async_nats::jetstream::{
    consumer::{self, Config, DeliverPolicy},
    stream::{ConsumerCreateStrictErrorKind, Stream},
};
use futures::TryStreamExt;
use tokio::sync::Mutex;

use super::Error;

/// Consumers that are gone from the stream until they can be made again.
#[derive(Default)]
pub(super) struct Lost(Mutex<Gone>);

#[derive(Default)]
struct Gone {
    epoch: i32,
    configs: BTreeMap<String, Config>,
}

pub(super) async fn durables(stream: &Stream) -> Result<Vec<consumer::Info>, Error> {
    let all = stream.consumers().try_collect::<Vec<_>>().await;
    let mut all = all.map_err(|error| Error::nats("listing the consumers")(error.into()))?;
    all.retain(|consumer| consumer.config.durable_name.is_some());
    Ok(all)
}

impl Lost {
    /// Compares with what the stream of this epoch has. The consumers of another epoch are gone for
    /// good.
    pub async fn found(&self, epoch: i32, durables: &[consumer::Info]) {
        let mut gone = self.0.lock().await;
        if gone.epoch != epoch {
            *gone = Gone { epoch, configs: BTreeMap::new() };
        }
        for consumer in durables {
            gone.configs.remove(&consumer.name);
        }
    }

    /// Sets back the consumers that were delivered more than the stream now holds. They would
    /// otherwise take no notice of what is published again.
    pub async fn set_back(
        &self,
        stream: &Stream,
        durables: Vec<consumer::Info>,
        last: u64,
    ) -> Result<(), Error> {
        let mut failed = Ok(());
        for consumer in durables {
            let (name, delivered) = (consumer.name.clone(), consumer.delivered.stream_sequence);
            if delivered <= last {
                continue;
            }
            tracing::warn!(
                consumer = name,
                delivered,
                last,
                "a consumer is ahead of its stream and is set back"
            );
            let from = consumer.ack_floor.stream_sequence.min(last) + 1;
            self.add(consumer, DeliverPolicy::ByStartSequence { start_sequence: from }).await;
            if let Err(error) = stream.delete_consumer(&name).await {
                tracing::warn!(%error, consumer = name, "a consumer is not deleted yet");
                failed = Err(Error::nats("deleting a consumer")(error.into()));
            }
        }
        failed
    }

    /// Remembers the consumers of a stream that is about to be made again. It is republished from the
    /// start, and they get all of it: skipping what they had cannot be asked for while it is not
    /// there.
    pub async fn with_their_stream(&self, durables: Vec<consumer::Info>) {
        for consumer in durables {
            tracing::warn!(consumer = consumer.name, "a consumer starts again with its stream");
            self.add(consumer, DeliverPolicy::All).await;
        }
    }

    async fn add(&self, consumer: consumer::Info, deliver_policy: DeliverPolicy) {
        let config = Config { deliver_policy, ..consumer.config };
        // Should this process end before it is made again, this is all that is left of it.
        let written = serde_json::to_string(&config).unwrap_or_default();
        tracing::warn!(consumer = consumer.name, config = written, "a consumer is taken away");
        self.0.lock().await.configs.insert(consumer.name, config);
    }

    /// Makes the consumers again; those that cannot be made are kept for the next time.
    pub async fn make_again(&self, stream: &Stream) {
        let mut gone = self.0.lock().await;
        let mut left = BTreeMap::new();
        for (name, config) in std::mem::take(&mut gone.configs) {
            match stream.create_consumer_strict(config.clone()).await {
                Ok(_) => metrics::counter!("relay_consumers_reset_total").increment(1),
                // Whoever needs it was quicker.
                Err(error) if error.kind() == ConsumerCreateStrictErrorKind::AlreadyExists => {}
                Err(error) => {
                    tracing::warn!(%error, consumer = name, "a consumer is not made again yet");
                    left.insert(name, config);
                }
            }
        }
        gone.configs = left;
    }
}
