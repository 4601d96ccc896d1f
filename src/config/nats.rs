use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::layers::Section;
use super::{Faults, Secret};

/// NATS with JetStream: one that is given, or a private one below the data directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nats {
    /// `nats://..` or `tls://..` with the login in it, several of a cluster with commas between; also
    /// taken from `NATS_URL`. A private server is started when absent.
    pub url: Option<Secret>,
    /// Put before the names of streams and subjects, so that installations can share a server.
    pub prefix: String,
    /// Copies of each stream in a cluster.
    pub replicas: u8,
    /// The private server's program; searched for on PATH when absent.
    pub binary: Option<PathBuf>,
}

impl Default for Nats {
    fn default() -> Self {
        Self { url: None, prefix: String::new(), replicas: 1, binary: None }
    }
}

impl Section for Nats {
    const NAME: &'static str = "nats";

    fn check(&self, faults: &mut Faults) {
        let sound =
            |url: &str| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "nats" | "tls"));
        if self.url.as_ref().is_some_and(|urls| !urls.expose().split(',').all(sound)) {
            faults
                .add("nats.url", "is not a nats:// or tls:// URL, or several with commas between");
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if self.prefix.len() > 32 || !self.prefix.bytes().all(plain) {
            faults.add("nats.prefix", "may have up to 32 letters, digits, - and _");
        }
        if ![1, 3, 5].contains(&self.replicas) {
            faults.add("nats.replicas", "must be 1, 3 or 5");
        }
    }
}
