//! Where a command came from, in the metadata of its events.
//!
//! The address and the program of a person are sealed under their key, bound to the command, and end with
//! it. Those of a key or of a part of the platform are nobody's: of the address only the network is kept.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use domain::Sealed;
use uuid::Uuid;
use vault::{Access, Place};

use super::PersonalError;
use crate::{Actor, Context, Journal};

/// Names in the metadata. A sealed value is opened under the same name.
pub const ADDRESS: &str = "address";
pub const USER_AGENT: &str = "user_agent";
/// The user under whose key the two are sealed; it is missing where they are plain.
pub const PERSON: &str = "person";
pub const ON_BEHALF_OF: &str = "on_behalf_of";

/// Longest name of a program that is kept.
const MAX_USER_AGENT_CHARS: usize = 200;

impl Journal {
    pub(crate) async fn add_origin(
        &self,
        context: &Context,
        command_id: Uuid,
        metadata: &mut BTreeMap<String, String>,
    ) -> Result<(), PersonalError> {
        if let Some(actor) = &context.on_behalf_of {
            metadata.insert(ON_BEHALF_OF.to_owned(), actor.to_string());
        }
        let Some(origin) = &context.origin else { return Ok(()) };
        let person = match &context.actor {
            Actor::User(user) => Some(*user),
            _ => origin.person,
        };
        let user_agent = origin.user_agent.as_deref().map(shortened);
        let Some(person) = person else {
            let known = [(ADDRESS, origin.address.map(network)), (USER_AGENT, user_agent)];
            let known = known.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?)));
            metadata.extend(known);
            return Ok(());
        };
        let access = self.keys()?.access_or_make(person.uuid(), self.inner.clock.now()).await?;
        // Of somebody who was erased nothing is kept any more.
        let Access::Key(key) = access.as_ref() else { return Ok(()) };
        metadata.insert(PERSON.to_owned(), person.to_string());
        let (subject, event) = (person.uuid().to_string(), command_id.to_string());
        let known = [(ADDRESS, origin.address.map(|ip| ip.to_string())), (USER_AGENT, user_agent)];
        for (name, text) in known {
            let Some(text) = text else { continue };
            let place = Place { subject: &subject, event: &event, field: name };
            let text = key.seal(&place, &serde_json::to_vec(&text)?, &mut rand::rng())?;
            metadata.insert(name.to_owned(), Sealed { event: command_id, text }.to_string());
        }
        Ok(())
    }
}

fn shortened(user_agent: &str) -> String {
    user_agent.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT_CHARS).collect()
}

/// The network of an address, which many share: `203.0.113.0/24`, `2001:db8:7::/48`.
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{}/24", Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_only_the_network_is_shown() {
        for (address, shown) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:7:8::9", "2001:db8:7::/48"),
        ] {
            assert_eq!(network(address.parse().unwrap()), shown);
        }
    }
}
