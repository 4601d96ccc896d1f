use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Url;

use super::layers::Section;
use super::{Faults, Secret};

/// Where audit logs are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// The collector of the platform, which gets the entries of all organisations; none when absent.
    pub sink: Option<Url>,
    pub sink_format: SinkFormat,
    /// The header that the token is sent in.
    pub sink_header: String,
    /// The whole value of the header.
    pub sink_token: Option<Secret>,
    /// Private, loopback and link-local ranges that collectors may be in all the same, also those of
    /// organisations.
    pub allowed_private_ranges: Vec<IpNet>,
    /// Collectors without TLS are taken too, for tests.
    pub plain_http: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkFormat {
    Json,
    Ndjson,
    Splunk,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            sink: None,
            sink_format: SinkFormat::Json,
            sink_header: "Authorization".to_owned(),
            sink_token: None,
            allowed_private_ranges: Vec::new(),
            plain_http: false,
        }
    }
}

impl Section for Audit {
    const NAME: &'static str = "audit";

    fn check(&self, faults: &mut Faults) {
        let schemes: &[&str] = if self.plain_http { &["http", "https"] } else { &["https"] };
        if self.sink.as_ref().is_some_and(|url| !schemes.contains(&url.scheme())) {
            faults.add("audit.sink", "must begin with https://");
        }
        if self.sink_token.is_some() && self.sink.is_none() {
            faults.add("audit.sink_token", "is of use with audit.sink only");
        }
    }
}
