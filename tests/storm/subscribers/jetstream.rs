//! Consumers of the stream, with nothing but a client of NATS.

use std::{sync::Arc, time::Duration};

use async_nats::{
    HeaderMap,
    jetstream::{
        self, Context,
        consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
        stream::Stream,
    },
};
use futures::StreamExt;
use tokio::time::{sleep, timeout};

use super::{Arrival, Notes, REQUEST};
use crate::world::World;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(200);
/// Nothing for so long: the consumer may be gone without a word.
const QUIET: Duration = Duration::from_secs(3);
const BATCH: usize = 200;

type Fallen = async_nats::Error;

/// A durable consumer with acknowledgements, made again when it is gone.
pub async fn durable(world: Arc<World>, notes: Notes) {
    let jetstream = connect(&world).await;
    loop {
        if let Err(error) = follow_durable(&jetstream, &notes).await {
            tracing::debug!(%error, "the durable consumer fell");
        }
        notes.fell();
        sleep(PAUSE).await;
    }
}

async fn follow_durable(jetstream: &Context, notes: &Notes) -> Result<(), Fallen> {
    let stream = jetstream.get_stream("EVENTS").await?;
    let config = pull::Config {
        durable_name: Some("storm".to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(2),
        max_ack_pending: 1,
        ..pull::Config::default()
    };
    let consumer: PullConsumer = stream.get_or_create_consumer("storm", config).await?;
    loop {
        let batch = consumer.batch().max_messages(BATCH).expires(Duration::from_secs(1));
        let mut batch = timeout(QUIET, batch.messages()).await??;
        let mut came = false;
        while let Some(message) = timeout(QUIET, batch.next()).await? {
            let message = message?;
            let arrival = arrival(message.headers.as_ref(), 0);
            // Positions have no holes: what is missing was purged, and comes when the relay has
            // made the stream again.
            if arrival.position > notes.newest() + 1 {
                notes.hole();
                return Ok(());
            }
            notes.write(arrival);
            timeout(QUIET, message.double_ack()).await??;
            came = true;
        }
        if !came {
            // Asks by name, so that a consumer that is gone is noticed.
            stream.consumer_info("storm").await?;
        }
    }
}

/// An ordered consumer with a filter, which goes on after the last event it has seen. It cannot see
/// holes, so it begins only with a stream that has its first message, and again with a stream that
/// was made again.
pub async fn ordered(world: Arc<World>, notes: Notes) {
    let jetstream = connect(&world).await;
    let mut run = Run { number: 0, of: 0, newest: 0 };
    loop {
        if let Err(error) = follow_ordered(&jetstream, &notes, &mut run).await {
            tracing::debug!(%error, "the ordered consumer fell");
        }
        notes.fell();
        sleep(PAUSE).await;
    }
}

/// What was seen of one stream.
struct Run {
    number: usize,
    /// When the stream was made.
    of: i128,
    newest: u64,
}

async fn follow_ordered(jetstream: &Context, notes: &Notes, run: &mut Run) -> Result<(), Fallen> {
    let stream = jetstream.get_stream("EVENTS").await?;
    let state = &stream.cached_info().state;
    if created(&stream) != run.of {
        // One that was purged will be made again by the relay.
        if state.first_sequence > 1 {
            return Ok(());
        }
        *run = Run { number: run.number + 1, of: created(&stream), newest: 0 };
    }
    // A stream that lost its end has to come back to where it was.
    if state.last_sequence < run.newest {
        return Ok(());
    }
    let config = pull::OrderedConfig {
        filter_subject: format!("events.*.{REQUEST}"),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: run.newest + 1 },
        ..pull::OrderedConfig::default()
    };
    let mut messages = stream.create_consumer(config).await?.messages().await?;
    loop {
        match timeout(QUIET, messages.next()).await {
            Ok(Some(message)) => {
                let arrival = arrival(message?.headers.as_ref(), run.number);
                // The client's own recovery goes on in whatever stream has the name by then, and
                // wherever that one is.
                if arrival.position <= run.newest && run.of != made(jetstream).await? {
                    return Ok(());
                }
                run.newest = run.newest.max(arrival.position);
                notes.write(arrival);
            }
            Ok(None) => return Ok(()),
            Err(_) if run.of == made(jetstream).await? => {}
            Err(_) => return Ok(()),
        }
    }
}

/// When the stream of now was made.
async fn made(jetstream: &Context) -> Result<i128, Fallen> {
    Ok(created(&jetstream.get_stream("EVENTS").await?))
}

fn created(stream: &Stream) -> i128 {
    stream.cached_info().created.unix_timestamp_nanos()
}

async fn connect(world: &World) -> Context {
    let options = async_nats::ConnectOptions::new()
        .retry_on_initial_connect()
        .request_timeout(Some(REQUEST_TIMEOUT));
    let client = options.connect(format!("nats://{}", world.to_nats.address)).await.unwrap();
    let mut context = jetstream::new(client);
    context.set_timeout(REQUEST_TIMEOUT);
    context
}

fn arrival(headers: Option<&HeaderMap>, run: usize) -> Arrival {
    let text = |name: &str| headers.unwrap().get(name).unwrap().as_str().to_owned();
    Arrival { run, position: text("Millrace-Position").parse().unwrap(), event_id: text("ce-id") }
}
