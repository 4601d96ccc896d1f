use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use async_nats::{Client, Message, Subscriber};
use futures::StreamExt;
use journal::Bus;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Limits, Policy, Subject, guesses,
    key::Key,
    wire::{MAX_ENTRIES, decode, encode},
};

const PERIOD: Duration = Duration::from_millis(100);
/// While NATS is away messages wait for it in the client, and then nobody need know them any more.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the others are told of: `limits.<policy>.<what>`.
const TAKEN: &str = "taken";
const CLEARED: &str = "cleared";

/// One replica's part in keeping the limits together.
pub struct Exchange {
    limits: Limits,
    bus: Bus,
    replica: Uuid,
    heard: Subscriber,
}

#[derive(Debug, thiserror::Error)]
#[error("replicas cannot be told of the limits over NATS")]
pub struct ExchangeError(#[source] async_nats::Error);

impl Exchange {
    /// Hears from now on what the others tell; `replica` is an id nobody else has.
    pub async fn join(limits: Limits, bus: Bus, replica: Uuid) -> Result<Self, ExchangeError> {
        let subject = bus.subject("limits.*.*");
        let heard = bus.client().subscribe(subject).await;
        let heard = heard.map_err(|error| ExchangeError(error.into()))?;
        let mut exchange = Self { limits, bus, replica, heard };
        let heard_itself = timeout(PATIENCE, exchange.round_trip()).await;
        heard_itself.map_err(|late| ExchangeError(late.into()))?.map_err(ExchangeError)?;
        exchange.limits.0.shared.store(true, Ordering::Relaxed);
        Ok(exchange)
    }

    /// Joins as soon as NATS lets it, and goes on until told to stop.
    pub async fn keep(limits: Limits, bus: Bus, replica: Uuid, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match Self::join(limits.clone(), bus.clone(), replica).await {
                Ok(exchange) => return exchange.run(stop).await,
                Err(error) => tracing::warn!(%error, "this replica keeps the limits alone"),
            }
            stop.run_until_cancelled(tokio::time::sleep(PATIENCE)).await;
        }
    }

    /// Goes on until told to stop. NATS may come and go.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => self.tell().await,
                message = self.heard.next() => match message {
                    Some(message) => self.hear(&message),
                    None => break,
                },
            }
        }
        self.limits.0.shared.store(false, Ordering::Relaxed);
        if !matches!(timeout(PATIENCE, self.leave()).await, Ok(Ok(()))) {
            tracing::warn!("the limits of the last moment were not shared");
        }
    }

    async fn leave(&mut self) -> Result<(), async_nats::Error> {
        self.tell().await;
        self.round_trip().await
    }

    /// Until the server has taken everything sent before: a flush ends when it is on its way.
    async fn round_trip(&mut self) -> Result<(), async_nats::Error> {
        let nothing = encode(self.replica, &[]);
        let subject = subject(&self.bus, Policy::User.name(), TAKEN);
        publish(self.bus.client(), subject, nothing.clone()).await?;
        while let Some(message) = self.heard.next().await {
            if message.payload == nothing {
                break;
            }
            self.hear(&message);
        }
        Ok(())
    }

    async fn tell(&self) {
        let mut taken = HashMap::<Policy, Vec<(Key, u64)>>::new();
        for (policy, key, bucket) in self.limits.0.untold.drain() {
            taken.entry(policy).or_default().push((key, bucket.tell()));
        }
        for (policy, entries) in taken {
            self.tell_of(policy.name(), &entries).await;
        }
        self.tell_of(guesses::NAME, &self.limits.0.guesses.tell()).await;
    }

    async fn tell_of(&self, name: &str, entries: &[(Key, u64)]) {
        for entries in entries.chunks(MAX_ENTRIES) {
            let payload = encode(self.replica, entries);
            let subject = subject(&self.bus, name, TAKEN);
            match timeout(PATIENCE, publish(self.bus.client(), subject, payload)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the limits were not shared"),
                Err(_late) => tracing::warn!("the limits were not shared: NATS is away"),
            }
        }
    }

    fn hear(&self, message: &Message) {
        let limits = &self.limits.0;
        let mut words = message.subject.rsplit('.');
        let (Some(what), Some(name)) = (words.next(), words.next()) else { return };
        let Some((sender, entries)) = decode(&message.payload) else { return };
        match (what, name, Policy::of_name(name)) {
            (TAKEN, _, _) if sender == self.replica => {}
            (TAKEN, guesses::NAME, _) => {
                entries.for_each(|(key, by)| limits.guesses.told(limits.now(), &key, by));
            }
            (CLEARED, guesses::NAME, _) => {
                entries.for_each(|(key, _)| limits.guesses.forget(&key));
            }
            (TAKEN, _, Some(policy)) => {
                entries.for_each(|(key, taken)| limits.told(policy, key, taken));
            }
            (CLEARED, _, Some(policy)) => {
                entries.for_each(|(key, _)| limits.forget(policy, &key));
            }
            // That of a newer version.
            _ => {}
        }
    }
}

/// Fills a subject's bucket on every replica. What a replica let through within the last exchange may
/// be told to the others after it.
pub async fn clear(
    bus: &Bus,
    policy: Policy,
    subject_of: &Subject<'_>,
) -> Result<(), ExchangeError> {
    clear_named(bus, policy.name(), subject_of).await
}

/// Forgets the wrong guesses at a subject, or of it, on every replica.
pub async fn clear_guesses(bus: &Bus, subject_of: &Subject<'_>) -> Result<(), ExchangeError> {
    clear_named(bus, guesses::NAME, subject_of).await
}

async fn clear_named(bus: &Bus, name: &str, subject_of: &Subject<'_>) -> Result<(), ExchangeError> {
    let payload = encode(Uuid::nil(), &[(Key::named(name, subject_of), 0)]);
    let told = publish(bus.client(), subject(bus, name, CLEARED), payload).await;
    told.map_err(ExchangeError)?;
    bus.client().flush().await.map_err(|error| ExchangeError(error.into()))
}

fn subject(bus: &Bus, name: &str, what: &str) -> String {
    bus.subject(&format!("limits.{name}.{what}"))
}

async fn publish(
    client: &Client,
    subject: String,
    payload: Vec<u8>,
) -> Result<(), async_nats::Error> {
    client.publish(subject, payload.into()).await.map_err(Into::into)
}
