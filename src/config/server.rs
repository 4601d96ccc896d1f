use std::net::SocketAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::Faults;
use super::layers::Section;

/// For each request worked on, one may wait for that, and one for the position it asks for.
const BUSY_PER_REQUEST: u32 = 3;
const MOST_CONNECTIONS: u32 = 1_000_000;

/// The HTTP front end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// How clients reach the server, when not at `listen`.
    pub public_url: Option<Url>,
    /// Connections open at the same time; the slowest client makes room for the next.
    pub max_connections: u32,
    /// Requests worked on at the same time; a few more wait for a moment, others are refused.
    pub max_requests: u32,
    /// For the whole head of a request.
    pub header_timeout_s: u32,
    /// For the whole body of a request.
    pub body_timeout_s: u32,
    /// For the head of the answer.
    pub request_timeout_s: u32,
    /// A client that takes nothing of its answer for so long is given up.
    pub write_timeout_s: u32,
    pub body_limit_bytes: u64,
    /// How long open requests may go on at shutdown.
    pub drain_timeout_s: u32,
    /// Origins whose pages may call the API, exactly as browsers send them.
    pub cors_origins: Vec<String>,
    /// Lets browsers keep tokens in cookies without TLS: for developing on this machine.
    pub insecure_cookies: bool,
    /// Networks of the proxies in front. What they say in `X-Forwarded-For` is taken for the address
    /// of the client; nobody else's word is.
    pub trusted_proxies: Vec<IpNet>,
    /// Live streams open at the same time in all, and of one API key.
    pub max_streams: u32,
    pub streams_per_key: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8420)),
            public_url: None,
            max_connections: 2048,
            max_requests: 64,
            header_timeout_s: 10,
            body_timeout_s: 30,
            request_timeout_s: 60,
            write_timeout_s: 30,
            body_limit_bytes: 1 << 20,
            drain_timeout_s: 10,
            cors_origins: Vec::new(),
            insecure_cookies: false,
            trusted_proxies: Vec::new(),
            max_streams: 1024,
            streams_per_key: 32,
        }
    }
}

impl Section for Server {
    const NAME: &'static str = "server";

    fn check(&self, faults: &mut Faults) {
        if self.public_url.as_ref().is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
            faults.add("server.public_url", "must begin with http:// or https://");
        }
        faults.range("server.max_requests", self.max_requests, 1..=100_000);
        faults.range("server.max_streams", self.max_streams, 1..=1_000_000);
        faults.range("server.max_connections", self.max_connections, 1..=MOST_CONNECTIONS);
        // Whoever is not slow cannot be made to give way: there must be room for others beside them.
        let busy = self.max_requests.saturating_mul(BUSY_PER_REQUEST);
        if self.max_connections <= self.max_streams.saturating_add(busy) {
            faults.add(
                "server.max_connections",
                "must be more than server.max_streams and three times server.max_requests together",
            );
        }
        faults.range("server.header_timeout_s", self.header_timeout_s, 1..=300);
        faults.range("server.body_timeout_s", self.body_timeout_s, 1..=3600);
        faults.range("server.request_timeout_s", self.request_timeout_s, 1..=3600);
        faults.range("server.write_timeout_s", self.write_timeout_s, 1..=3600);
        faults.range("server.body_limit_bytes", self.body_limit_bytes, 1 << 10..=1 << 30);
        faults.range("server.drain_timeout_s", self.drain_timeout_s, 0..=3600);
        faults.range("server.streams_per_key", self.streams_per_key, 1..=100_000);
        let local = self.public_url.as_ref().is_none_or(is_local) && self.listen.ip().is_loopback();
        if self.insecure_cookies && !local {
            faults.add(
                "server.insecure_cookies",
                "is for this machine alone, with server.listen and server.public_url on it",
            );
        }
        for origin in &self.cors_origins {
            let parsed = Url::parse(origin).ok().map(|url| url.origin().ascii_serialization());
            if parsed.as_deref() != Some(origin) {
                let fault = format!("`{origin}` is not an origin such as https://app.example.com");
                faults.add("server.cors_origins", fault);
            }
        }
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
