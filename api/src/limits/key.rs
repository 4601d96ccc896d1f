use std::net::IpAddr;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Policy;

/// Whom a limit is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// IPv6 counts by /64, of which everybody has as many addresses as they like.
    Address(IpAddr),
    Id(Uuid),
    /// An address of mail or another name, in one spelling.
    Text(&'a str),
}

/// A subject of a policy, of fixed size however long the subject is. Nobody can make two subjects
/// that share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub [u8; Self::BYTES]);

impl Key {
    pub const BYTES: usize = 16;

    pub fn of(policy: Policy, subject: &Subject<'_>) -> Self {
        Self::named(policy.name(), subject)
    }

    /// The subject of something that is named so.
    pub fn named(name: &str, subject: &Subject<'_>) -> Self {
        let mut hash = Sha256::new();
        hash.update(name);
        match subject {
            Subject::Address(address) => match address.to_canonical() {
                IpAddr::V4(address) => hash.update([&[0, 4][..], &address.octets()].concat()),
                IpAddr::V6(address) => hash.update([&[0, 6][..], &address.octets()[..8]].concat()),
            },
            Subject::Id(id) => hash.update([&[0, 1][..], id.as_bytes()].concat()),
            Subject::Text(text) => {
                hash.update([0, 2]);
                hash.update(text);
            }
        }
        let mut key = [0; Self::BYTES];
        key.copy_from_slice(&hash.finalize()[..Self::BYTES]);
        Self(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> Key {
        Key::of(Policy::Address, &Subject::Address(address.parse().unwrap()))
    }

    #[test]
    fn a_network_of_ipv6_is_one_caller_and_a_mapped_address_is_ipv4() {
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
        assert_ne!(key("10.0.0.1"), key("10.0.0.2"));
    }

    #[test]
    fn one_subject_has_a_bucket_in_each_policy() {
        let subject = Subject::Text("ann");
        assert_ne!(Key::of(Policy::Login, &subject), Key::of(Policy::Reset, &subject));
    }
}
