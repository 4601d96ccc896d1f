//! What replicas tell each other: the sender, then keys, each with the nanoseconds taken.

use uuid::Uuid;

use super::key::Key;

const SENDER: usize = 16;
const ENTRY: usize = Key::BYTES + size_of::<u64>();
/// Well below what every NATS server takes.
pub const MAX_ENTRIES: usize = 2000;

pub fn encode(sender: Uuid, entries: &[(Key, u64)]) -> Vec<u8> {
    let mut message = Vec::with_capacity(SENDER + entries.len() * ENTRY);
    message.extend(sender.as_bytes());
    for (key, taken) in entries {
        message.extend(key.0);
        message.extend(taken.to_be_bytes());
    }
    message
}

/// `None` for what is not such a message.
pub fn decode(message: &[u8]) -> Option<(Uuid, impl Iterator<Item = (Key, u64)>)> {
    let (sender, rest) = message.split_first_chunk::<SENDER>()?;
    let (entries, surplus) = rest.as_chunks::<ENTRY>();
    if !surplus.is_empty() || entries.len() > MAX_ENTRIES {
        return None;
    }
    let entries = entries.iter().filter_map(|entry| {
        let (key, taken) = entry.split_first_chunk()?;
        Some((Key(*key), u64::from_be_bytes(taken.try_into().ok()?)))
    });
    Some((Uuid::from_bytes(*sender), entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_out_as_it_went_in_and_others_are_refused() {
        let entries = vec![(Key([7; 16]), 1), (Key([9; 16]), u64::MAX)];
        let message = encode(Uuid::from_u128(5), &entries);
        let (sender, decoded) = decode(&message).unwrap();
        assert_eq!((sender, decoded.collect::<Vec<_>>()), (Uuid::from_u128(5), entries));
        assert!(decode(&message[1..]).is_none());
        assert!(decode(&message[..7]).is_none());
        assert!(decode(&vec![0; SENDER + (MAX_ENTRIES + 1) * ENTRY]).is_none());
    }
}
