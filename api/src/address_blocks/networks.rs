use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
};

use ipnet::IpNet;

/// Networks, found by address in a few looks however many they are: one for each length that occurs.
#[derive(Debug, Default)]
pub struct Networks(BTreeMap<u8, HashSet<IpNet>>);

impl FromIterator<IpNet> for Networks {
    fn from_iter<T: IntoIterator<Item = IpNet>>(networks: T) -> Self {
        let mut by_length = BTreeMap::<u8, HashSet<IpNet>>::new();
        for network in networks {
            by_length.entry(network.prefix_len()).or_default().insert(network.trunc());
        }
        Self(by_length)
    }
}

impl Networks {
    pub fn contain(&self, address: IpAddr) -> bool {
        let around = |length| IpNet::new(address, length).map(|network| network.trunc());
        self.0.iter().any(|(length, networks)| {
            around(*length).is_ok_and(|network| networks.contains(&network))
        })
    }
}

/// An address or a range as an operator gives it, with no bits of an address behind its length.
pub fn parse(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse().ok()?,
    };
    Some(network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_their_networks_and_nowhere_else() {
        let networks = ["203.0.113.0/24", "198.51.100.7", "2001:db8::/32", "2001:db8:9::1"];
        let networks: Networks = networks.into_iter().filter_map(parse).collect();
        for (address, expected) in [
            ("203.0.113.255", true),
            ("203.0.114.0", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(networks.contain(address.parse().unwrap()), expected, "{address}");
        }
        assert!(!Networks::default().contain("203.0.113.1".parse().unwrap()));
    }

    #[test]
    fn a_network_has_one_form() {
        for (given, form) in [
            (" 203.0.113.9/24 ", "203.0.113.0/24"),
            ("203.0.113.9", "203.0.113.9/32"),
            ("::ffff:203.0.113.9", "203.0.113.9/32"),
            ("2001:DB8::1/32", "2001:db8::/32"),
        ] {
            assert_eq!(parse(given).unwrap().to_string(), form);
        }
        for bad in ["", "203.0.113", "203.0.113.9/33", "example.org", "203.0.113.0-203.0.113.9"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
