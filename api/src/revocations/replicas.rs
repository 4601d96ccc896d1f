//! What the replicas tell each other over core NATS: who they are, and how far they have followed.

use async_nats::Subscriber;
use bytes::{Buf, BufMut, Bytes};
use futures::StreamExt;
use journal::Bus;
use uuid::Uuid;

use super::Revocations;

/// Told by one that goes.
const GONE: u64 = u64::MAX;
const BYTES: usize = 24;

pub(super) async fn listen(bus: &Bus) -> Result<Subscriber, async_nats::Error> {
    Ok(bus.client().subscribe(subject(bus)).await?)
}

pub(super) async fn hear(revocations: &Revocations, heard: &mut Subscriber) {
    while let Some(message) = heard.next().await {
        match decode(&message.payload) {
            Some((replica, GONE)) => revocations.forget(replica),
            Some((replica, position)) => revocations.note(replica, position),
            // That of another version.
            None => {}
        }
    }
}

pub(super) async fn tell(bus: &Bus, replica: Uuid, position: u64) -> Result<(), async_nats::Error> {
    Ok(bus.client().publish(subject(bus), encode(replica, position)).await?)
}

pub(super) async fn leave(bus: &Bus, replica: Uuid) -> Result<(), async_nats::Error> {
    tell(bus, replica, GONE).await?;
    Ok(bus.client().flush().await?)
}

fn subject(bus: &Bus) -> String {
    bus.subject("revocations.reached")
}

fn encode(replica: Uuid, position: u64) -> Bytes {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.put_u128(replica.as_u128());
    bytes.put_u64(position);
    bytes.into()
}

fn decode(payload: &Bytes) -> Option<(Uuid, u64)> {
    let mut payload = payload.clone();
    (payload.len() == BYTES).then(|| (Uuid::from_u128(payload.get_u128()), payload.get_u64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard_as_it_was() {
        let told = (Uuid::from_u128(7), 42);
        assert_eq!(decode(&encode(told.0, told.1)), Some(told));
        assert_eq!(decode(&Bytes::from_static(b"something else")), None);
    }
}
