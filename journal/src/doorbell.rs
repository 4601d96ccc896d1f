//! Wakes the readers of every process when any of them appends.
//!
//! A ring only says that it is worth looking: the position is asked of the database, so that a
//! wrong or late one does no harm. A lost one is made good by the slow poll.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_nats::Subscriber;
use futures::StreamExt;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Bus, Journal};

/// However fast the log grows, others hear of it this often at most.
const RING_INTERVAL: Duration = Duration::from_millis(2);
const POLL_INTERVAL: Duration = Duration::from_secs(1);
const RING_TIMEOUT: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(1);

/// Announces what this process appends and hears what others do. Runs until it is told to stop.
pub async fn run(journal: Journal, bus: Bus, stop: CancellationToken) {
    let told = AtomicU64::new(0);
    let work = async {
        tokio::join!(ring(&journal, &bus, &told), hear(&journal, &bus, &told), poll(&journal))
    };
    tokio::select! {
        () = stop.cancelled() => {}
        _ = work => {}
    }
}

fn subject(bus: &Bus) -> String {
    bus.subject("doorbell.head")
}

/// `told` is the last position that everybody has been told of; it need not be rung again.
async fn ring(journal: &Journal, bus: &Bus, told: &AtomicU64) {
    let subject = subject(bus);
    let mut head = journal.watch_head();
    while head.changed().await.is_ok() {
        let position = *head.borrow_and_update();
        if position <= told.load(Ordering::Relaxed) {
            continue;
        }
        let ringing = bus.client().publish(subject.clone(), position.to_string().into());
        // While the server is away nobody would hear; the poll tells them.
        if !matches!(timeout(RING_TIMEOUT, ringing).await, Ok(Ok(()))) {
            tracing::debug!(position, "the doorbell did not ring");
        }
        sleep(RING_INTERVAL).await;
    }
}

async fn hear(journal: &Journal, bus: &Bus, told: &AtomicU64) {
    loop {
        match bus.client().subscribe(subject(bus)).await {
            Ok(rings) => look(journal, rings, told).await,
            Err(error) => tracing::warn!(%error, "cannot listen for the doorbell"),
        }
        sleep(RETRY).await;
    }
}

async fn look(journal: &Journal, mut rings: Subscriber, told: &AtomicU64) {
    let head = journal.watch_head();
    while let Some(ring) = rings.next().await {
        let text = std::str::from_utf8(&ring.payload).unwrap_or_default();
        let Ok(position) = text.parse::<u64>() else { continue };
        let known = *head.borrow();
        if position > known
            && let Err(error) = journal.head().await
        {
            tracing::warn!(%error, "the head of the log could not be read");
            sleep(RETRY).await;
        }
        if position <= *head.borrow() {
            told.fetch_max(position, Ordering::Relaxed);
        }
    }
}

async fn poll(journal: &Journal) {
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = journal.head().await {
            tracing::warn!(%error, "the head of the log could not be polled");
        }
    }
}
