//! Sends the lines of all jobs of this process, in order and many at a time.

use std::{collections::HashSet, time::Duration};

use async_nats::{
    HeaderMap, Subject,
    header::NATS_MESSAGE_ID,
    jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind},
};
use bytes::Bytes;
use futures::future;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::ensure;
use crate::Bus;

/// Lines that are sent before any of them is acknowledged.
const BATCH: usize = 256;
/// Tries before lines are given up.
const ATTEMPTS: u64 = 3;
const PAUSE: Duration = Duration::from_millis(500);

pub(super) enum Order {
    Send {
        subject: Subject,
        payload: Bytes,
        /// Says that no line of its job follows.
        is_end: bool,
    },
    /// Dropped when everything before it is sent or given up.
    Flush(oneshot::Sender<()>),
}

struct Line {
    subject: Subject,
    payload: Bytes,
    is_end: bool,
    /// Under which the server stores it once, however often it is sent.
    id: String,
}

pub(super) async fn run(bus: Bus, mut waiting: mpsc::Receiver<Order>) {
    let writer = bus.client().new_inbox();
    let mut count = 0_u64;
    let mut orders = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut orders, BATCH).await > 0 {
        let mut lines = Vec::with_capacity(orders.len());
        let mut flushes = Vec::new();
        for order in orders.drain(..) {
            match order {
                Order::Send { subject, payload, is_end } => {
                    count += 1;
                    lines.push(Line { subject, payload, is_end, id: format!("{writer}/{count}") });
                }
                Order::Flush(done) => flushes.push(done),
            }
        }
        // Followers stop at an end: it is only sent when what comes before it is settled.
        for lines in lines.chunk_by(|_, next| !next.is_end) {
            send(&bus, lines).await;
        }
        drop(flushes);
    }
}

async fn send(bus: &Bus, lines: &[Line]) {
    let mut lines: Vec<_> = lines.iter().collect();
    for attempt in 1..=ATTEMPTS {
        let Err((refused, error)) = publish(bus, lines).await else { return };
        if attempt == ATTEMPTS {
            tracing::warn!(%error, lines = refused.len(), "lines of jobs were dropped");
            metrics::counter!("log_lines_dropped_total").increment(refused.len() as u64);
            return;
        }
        lines = refused;
        if error.kind() == PublishErrorKind::StreamNotFound {
            if let Err(error) = ensure(bus).await {
                tracing::warn!(%error, "the logs stream could not be made again");
            }
        } else {
            sleep(PAUSE).await;
        }
    }
}

/// Sends lines and waits for all answers; returns what is to be sent again, and why.
async fn publish<'a>(bus: &Bus, lines: Vec<&'a Line>) -> Result<(), (Vec<&'a Line>, PublishError)> {
    let mut sent = Vec::with_capacity(lines.len());
    for line in &lines {
        sent.push(start(bus, line).await);
    }
    let answers = sent.into_iter().map(|sent| async { sent?.await });
    let answers = future::join_all(answers).await;
    let (mut again, mut overtaken) = (Vec::new(), 0);
    let mut stored = HashSet::new();
    let mut last = None;
    for (line, answer) in lines.into_iter().zip(answers).rev() {
        match answer {
            Ok(_) => {
                stored.insert(line.subject.as_str());
            }
            // Readers have seen what follows it: sent again it would be told in the wrong place.
            Err(_) if stored.contains(line.subject.as_str()) => overtaken += 1,
            Err(error) => {
                again.push(line);
                last = Some(error);
            }
        }
    }
    if overtaken > 0 {
        tracing::warn!(lines = overtaken, "lines of jobs were dropped: later ones were faster");
        metrics::counter!("log_lines_dropped_total").increment(overtaken);
    }
    again.reverse();
    last.map_or(Ok(()), |error| Err((again, error)))
}

async fn start(bus: &Bus, line: &Line) -> Result<PublishAckFuture, PublishError> {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, line.id.as_str());
    bus.jetstream().publish_with_headers(line.subject.clone(), headers, line.payload.clone()).await
}
