use std::{collections::HashSet, net::IpAddr};

use ipnet::IpNet;
use uuid::Uuid;

/// Whose requests are not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    pub networks: Vec<IpNet>,
    /// API keys by id.
    pub keys: HashSet<Uuid>,
}

impl AllowList {
    pub fn has_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    pub fn has_key(&self, key: &Uuid) -> bool {
        self.keys.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_covers_its_addresses_in_either_form() {
        let networks = ["10.1.0.0/16", "2001:db8::/32"].map(|text| text.parse().unwrap()).to_vec();
        let allow = AllowList { networks, ..AllowList::default() };
        for (address, expected) in [
            ("10.1.200.3", true),
            ("::ffff:10.1.200.3", true),
            ("2001:db8:5::1", true),
            ("10.2.0.1", false),
            ("::10.1.200.3", false),
        ] {
            assert_eq!(allow.has_address(address.parse().unwrap()), expected, "{address}");
        }
    }
}
