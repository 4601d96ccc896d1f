//! Requests to collectors.

use std::time::Duration;

use domain::audit::SinkFormat;
use outbound::{AddressPolicy, PlainHttp};
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use url::Url;

use super::form;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a refusal that are shown.
const MAX_SHOWN: usize = 200;

#[derive(Clone)]
pub(super) struct Client(outbound::Client);

/// Where entries go, and with which token.
#[derive(Clone)]
pub(super) struct Target {
    url: Url,
    token: Option<(HeaderName, HeaderValue)>,
}

impl Target {
    pub fn new(url: &str, header: String, token: Option<String>) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("the URL is none: {error}"))?;
        let token = token.map(|token| {
            let name = HeaderName::try_from(header).map_err(|error| error.to_string())?;
            let mut value = HeaderValue::try_from(token).map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            Ok::<_, String>((name, value))
        });
        Ok(Self { url, token: token.transpose()? })
    }
}

impl Client {
    pub fn new(addresses: AddressPolicy, plain_http: bool) -> Self {
        let plain_http = if plain_http { PlainHttp::Anywhere } else { PlainHttp::Nowhere };
        let agent = concat!("millrace/", env!("CARGO_PKG_VERSION"));
        Self(outbound::Client::new(addresses, plain_http, TIMEOUT, agent))
    }

    /// Sends a batch; says why it did not arrive.
    pub async fn send(
        &self,
        target: &Target,
        format: SinkFormat,
        body: String,
    ) -> Result<(), String> {
        let request = self.0.request(Method::POST, &target.url).map_err(|e| e.to_string())?;
        let mut request = request.body(body).header(CONTENT_TYPE, form::content_type(format));
        if let Some((name, value)) = &target.token {
            request = request.header(name.clone(), value.clone());
        }
        let answer = self.0.send(request, MAX_SHOWN).await.map_err(|error| error.to_string())?;
        if answer.status.is_success() {
            return Ok(());
        }
        let shown = |c: char| if c.is_control() { ' ' } else { c };
        let beginning: String = String::from_utf8_lossy(&answer.body).chars().map(shown).collect();
        Err(format!("the collector answered {}: {beginning}", answer.status))
    }
}
