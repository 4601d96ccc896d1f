//! Which addresses may be reached on behalf of a user.
//!
//! Only the public internet, and what the operator allowed. A name is resolved once, all its
//! addresses are judged, and the caller connects to those very addresses: a name that later
//! resolves to something else gains nothing.

#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A resolver of the system may try for minutes.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an address is not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    Loopback,
    Private,
    SharedCarrier,
    LinkLocal,
    CloudMetadata,
    Multicast,
    Broadcast,
    Unspecified,
    Documentation,
    Benchmarking,
    Reserved,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{ip} is a {class} address")]
pub struct Refused {
    pub ip: IpAddr,
    pub class: AddressClass,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "`{host}` leads to {refused}, which may not be reached; an operator can allow its range by configuration"
    )]
    Refused { host: String, refused: Refused },
    #[error("the name `{host}` could not be resolved: {source}")]
    Resolve { host: String, source: io::Error },
    #[error("the name `{host}` was not resolved within {} s", RESOLVE_TIMEOUT.as_secs())]
    TimedOut { host: String },
    #[error("the name `{host}` has no address")]
    NoAddress { host: String },
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the allowed address range `{0}` is neither an address nor a range such as `10.0.0.0/8` or `fd00::/8`"
)]
pub struct BadRange(pub String);

#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    allowed: Vec<IpNet>,
}

impl AddressPolicy {
    /// `allowed` are ranges that may be reached although they are not public: the operator's choice.
    pub fn new(allowed: &[String]) -> Result<Self, BadRange> {
        let allowed = allowed.iter().map(|text| parse_range(text));
        Ok(Self { allowed: allowed.collect::<Result<_, _>>()? })
    }

    pub fn check(&self, ip: IpAddr) -> Result<(), Refused> {
        if self.allows(ip) {
            return Ok(());
        }
        let class = match ip {
            IpAddr::V4(v4) => class_of_v4(v4),
            IpAddr::V6(v6) => match embedded_v4(v6) {
                Some(v4) if self.allows(v4.into()) => None,
                Some(v4) => class_of_v4(v4),
                None => class_of_v6(v6),
            },
        };
        class.map_or(Ok(()), |class| Err(Refused { ip, class }))
    }

    /// Resolves the host once. One refused address among several refuses them all, so the answer
    /// never depends on which of them is picked. Connect to these addresses, not to the name.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let owned = || bare.to_owned();
        let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((bare, port)))
            .await
            .map_err(|_| Error::TimedOut { host: owned() })?
            .map_err(|source| Error::Resolve { host: owned(), source })?;
        let addresses: Vec<SocketAddr> = found.collect();
        if addresses.is_empty() {
            return Err(Error::NoAddress { host: owned() });
        }
        for address in &addresses {
            self.check(address.ip())
                .map_err(|refused| Error::Refused { host: owned(), refused })?;
        }
        Ok(addresses)
    }

    fn allows(&self, ip: IpAddr) -> bool {
        self.allowed.iter().any(|range| range.contains(&ip))
    }
}

impl AddressClass {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::SharedCarrier => "shared carrier (100.64.0.0/10)",
            Self::LinkLocal => "link-local",
            Self::CloudMetadata => "cloud metadata",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Unspecified => "unspecified",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Reserved => "reserved",
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn parse_range(text: &str) -> Result<IpNet, BadRange> {
    let text = text.trim();
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| BadRange(text.to_owned()))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, second: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), prefix)
}

/// The first range that holds an address decides.
const V4_RANGES: [(Ipv4Net, AddressClass); 20] = [
    (v4(0, 0, 0, 0, 32), AddressClass::Unspecified),
    (v4(0, 0, 0, 0, 8), AddressClass::Reserved),
    (v4(10, 0, 0, 0, 8), AddressClass::Private),
    (v4(100, 100, 100, 200, 32), AddressClass::CloudMetadata),
    (v4(100, 64, 0, 0, 10), AddressClass::SharedCarrier),
    (v4(127, 0, 0, 0, 8), AddressClass::Loopback),
    (v4(168, 63, 129, 16, 32), AddressClass::CloudMetadata),
    (v4(169, 254, 0, 0, 16), AddressClass::LinkLocal),
    (v4(172, 16, 0, 0, 12), AddressClass::Private),
    (v4(192, 0, 0, 0, 24), AddressClass::Reserved),
    (v4(192, 0, 2, 0, 24), AddressClass::Documentation),
    (v4(192, 88, 99, 0, 24), AddressClass::Reserved),
    (v4(192, 168, 0, 0, 16), AddressClass::Private),
    (v4(198, 18, 0, 0, 15), AddressClass::Benchmarking),
    (v4(198, 51, 100, 0, 24), AddressClass::Documentation),
    (v4(203, 0, 113, 0, 24), AddressClass::Documentation),
    (v4(224, 0, 0, 0, 4), AddressClass::Multicast),
    (v4(233, 252, 0, 0, 24), AddressClass::Documentation),
    (v4(255, 255, 255, 255, 32), AddressClass::Broadcast),
    (v4(240, 0, 0, 0, 4), AddressClass::Reserved),
];

const V6_RANGES: [(Ipv6Net, AddressClass); 8] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), AddressClass::Unspecified),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), AddressClass::Loopback),
    (v6(0xfc00, 0, 7), AddressClass::Private),
    (v6(0xfe80, 0, 10), AddressClass::LinkLocal),
    (v6(0xff00, 0, 8), AddressClass::Multicast),
    (v6(0x2001, 0xdb8, 32), AddressClass::Documentation),
    (v6(0x3fff, 0, 20), AddressClass::Documentation),
    // Protocol assignments, tunnels of Teredo among them.
    (v6(0x2001, 0, 23), AddressClass::Reserved),
];

const V6_GLOBAL: Ipv6Net = v6(0x2000, 0, 3);

fn class_of_v4(ip: Ipv4Addr) -> Option<AddressClass> {
    V4_RANGES.iter().find(|(range, _)| range.contains(&ip)).map(|(_, class)| *class)
}

fn class_of_v6(ip: Ipv6Addr) -> Option<AddressClass> {
    let known = V6_RANGES.iter().find(|(range, _)| range.contains(&ip)).map(|(_, class)| *class);
    known.or((!V6_GLOBAL.contains(&ip)).then_some(AddressClass::Reserved))
}

/// The IPv4 address that a packet to this address ends up at: mapped, compatible, NAT64 and 6to4.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    if ip.is_unspecified() || ip.is_loopback() {
        return None;
    }
    match ip.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(joined(high, low))
        }
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}
