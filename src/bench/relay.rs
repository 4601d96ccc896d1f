//! Events a second onto the stream, from a log that is there already.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_nats::jetstream::stream::{Config, StorageType};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use journal::Bus;

use super::{
    figures::{Board, Figure, Sample},
    history,
    load::Plan,
    site::Site,
    world::{World, until},
};
use crate::cli::Role;

/// So many messages are published over and over for the raw limit.
const MESSAGES: u64 = 600;
const ACK: Duration = Duration::from_secs(30);

pub async fn run(site: &Site, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let world = site.world().await?;
    history::grow(&world, plan.events).await?;
    let mut board = Board::default();
    for counts in plan.rounds() {
        let (journal, bus) = (&world.installation.journal, &world.installation.bus);
        journal::relay::rebuild(journal, bus).await?;
        let relayed = Sample::whole(world.head().await?, catch_up(&world).await?);
        let messages = Messages::of_stream(&world).await?;
        let raw = publish(&world, &messages.whole, plan.events).await?;
        let bare = publish(&world, &messages.payloads, plan.events).await?;
        if counts {
            board.note("relay", relayed);
            board.note("raw", raw);
            board.note("raw_payloads", bare);
        }
    }
    site.leave(world).await?;
    Ok(board.figures())
}

/// Runs the relay until the stream holds the whole log.
pub async fn catch_up(world: &World) -> anyhow::Result<Duration> {
    let (head, bus) = (world.head().await?, &world.installation.bus);
    let running = world.run(&[Role::Relay]).await?;
    let done = until(async || {
        let stream = bus.jetstream().get_stream(bus.stream("EVENTS")).await;
        Ok(stream.is_ok_and(|stream| stream.cached_info().state.last_sequence >= head))
    });
    let done = done.await;
    running.stop().await;
    done
}

/// Some of the messages that the relay made, for the raw limit.
struct Messages {
    payloads: Vec<Bytes>,
    /// Headers and payload as one: the same bytes, and nothing in them for the server to look at.
    whole: Vec<Bytes>,
}

impl Messages {
    async fn of_stream(world: &World) -> anyhow::Result<Self> {
        let bus = &world.installation.bus;
        let stream = bus.jetstream().get_stream(bus.stream("EVENTS")).await?;
        let mut messages = Self { payloads: Vec::new(), whole: Vec::new() };
        let first = stream.cached_info().state.first_sequence;
        for sequence in first..first + MESSAGES {
            let message = stream.direct_get(sequence).await?;
            let mut whole = BytesMut::new();
            for (name, values) in message.headers.iter() {
                for value in values {
                    whole.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
                }
            }
            whole.extend_from_slice(&message.payload);
            messages.payloads.push(message.payload);
            messages.whole.push(whole.freeze());
        }
        Ok(messages)
    }
}

/// Publishes as fast as the server takes it: no headers, no order to keep, the same number under way.
async fn publish(world: &World, payloads: &[Bytes], count: u64) -> anyhow::Result<Sample> {
    let bus = &world.installation.bus;
    let (name, subject) = (bus.stream("RAW"), bus.subject("raw"));
    let config = Config {
        name: name.clone(),
        subjects: vec![subject.clone()],
        storage: StorageType::File,
        num_replicas: bus.replicas(),
        ..Config::default()
    };
    bus.jetstream().create_stream(config).await?;
    let started = Instant::now();
    pipelined(bus, &subject, payloads, count, world.config.relay.window.into()).await?;
    let elapsed = started.elapsed();
    bus.jetstream().delete_stream(name).await?;
    Ok(Sample::whole(count, elapsed))
}

async fn pipelined(
    bus: &Bus,
    subject: &str,
    payloads: &[Bytes],
    count: u64,
    window: u64,
) -> anyhow::Result<()> {
    let inbox = bus.client().new_inbox();
    let mut acks = bus.client().subscribe(inbox.clone()).await?;
    let mut payloads = payloads.iter().cycle();
    let (mut sent, mut acked) = (0, 0);
    while acked < count {
        while sent < count && sent - acked < window {
            let payload = payloads.next().context("the stream is empty")?.clone();
            bus.client().publish_with_reply(subject.to_owned(), inbox.clone(), payload).await?;
            sent += 1;
        }
        tokio::time::timeout(ACK, acks.next()).await?.context("the server is gone")?;
        acked += 1;
    }
    Ok(())
}
