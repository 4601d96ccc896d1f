use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies in front whose word is taken for where a request comes from.
pub(crate) struct Proxies(Vec<IpNet>);

impl Proxies {
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.to_vec())
    }

    /// The nearest address that is not a trusted proxy's own: each proxy adds the one it was called
    /// from on the right, and whatever stands further left a client may have made up.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let lines = headers.get_all(&FORWARDED_FOR).iter().collect::<Vec<_>>();
        let texts = lines.into_iter().rev().map(|line| line.to_str().unwrap_or("?"));
        for hop in texts.flat_map(|line| line.rsplit(',')) {
            match address(hop.trim()) {
                Some(address) => client = address,
                None => return client,
            }
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    let address = address.or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn client(peer: &str, lines: &[&'static str]) -> String {
        let proxies = Proxies::new(&["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.7:443"]), "198.51.100.7");
        assert_eq!(client("fd00::1", &["[2001:db8::5]:80"]), "2001:db8::5");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_the_client_made_up_is_not_looked_at() {
        assert_eq!(client("10.0.0.1", &["127.0.0.1, 198.51.100.7, 10.2.0.1"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["127.0.0.1", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.7, rubbish"]), "10.0.0.1");
    }
}
