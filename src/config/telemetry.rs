use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use url::Url;

use super::Faults;
use super::layers::Section;

/// Traces for a collector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Base address of an OTLP collector (HTTP, protobuf), such as `http://127.0.0.1:4318`. Nothing is
    /// exported when absent.
    pub otlp_endpoint: Option<Url>,
    pub service_name: String,
    /// Where a process without the front end shows `/metrics`; nowhere when absent.
    pub metrics_listen: Option<SocketAddr>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { otlp_endpoint: None, service_name: "millrace".to_owned(), metrics_listen: None }
    }
}

impl Section for Telemetry {
    const NAME: &'static str = "telemetry";

    fn check(&self, faults: &mut Faults) {
        let endpoint = self.otlp_endpoint.as_ref();
        if endpoint.is_some_and(|url| !matches!(url.scheme(), "http" | "https")) {
            faults.add("telemetry.otlp_endpoint", "must begin with http:// or https://");
        }
        if self.service_name.is_empty() {
            faults.add("telemetry.service_name", "must not be empty");
        }
    }
}
