//! Requests to collectors. Every address is judged when it is known, and the connection goes to that very
//! address; redirects lead nowhere, and proxies of the environment are not asked.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use domain::audit::SinkFormat;
use engines::address::AddressPolicy;
use reqwest::{
    dns::{Addrs, Name, Resolve, Resolving},
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
    redirect::Policy,
};
use url::{Host, Url};

use super::form;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a refusal that are shown.
const MAX_SHOWN: usize = 200;

#[derive(Clone)]
pub(super) struct Client {
    http: Result<reqwest::Client, String>,
    addresses: AddressPolicy,
    plain_http: bool,
}

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
        let http = reqwest::Client::builder()
            .dns_resolver(Arc::new(Judged(addresses.clone())))
            .redirect(Policy::none())
            .no_proxy()
            .https_only(!plain_http)
            .timeout(TIMEOUT)
            .user_agent(concat!("millrace/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { http: http.map_err(|error| crate::chain(&error)), addresses, plain_http }
    }

    /// Sends a batch; says why it did not arrive.
    pub async fn send(
        &self,
        target: &Target,
        format: SinkFormat,
        body: String,
    ) -> Result<(), String> {
        self.check(&target.url)?;
        let http = self.http.as_ref().map_err(Clone::clone)?;
        let mut request = http.post(target.url.clone()).body(body);
        request = request.header(CONTENT_TYPE, form::content_type(format));
        if let Some((name, value)) = &target.token {
            request = request.header(name.clone(), value.clone());
        }
        // The URL may have a secret in it.
        let answer = request.send().await.map_err(|error| crate::chain(&error.without_url()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        Err(format!("the collector answered {status}: {}", beginning(answer).await))
    }

    /// A host that is an address is asked of no resolver.
    fn check(&self, url: &Url) -> Result<(), String> {
        if url.scheme() != "https" && !(self.plain_http && url.scheme() == "http") {
            return Err("the URL does not begin with https://".to_owned());
        }
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::from(ip),
            Some(Host::Ipv6(ip)) => IpAddr::from(ip),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err("the URL names no host".to_owned()),
        };
        let refused = |error| format!("{error}, which may not be reached");
        self.addresses.check(ip).map_err(refused)
    }
}

async fn beginning(mut answer: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= MAX_SHOWN {
            break;
        }
    }
    bytes.truncate(MAX_SHOWN);
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    String::from_utf8_lossy(&bytes).chars().map(shown).collect()
}

/// A resolver that gives public addresses only, and those that the operator allowed.
struct Judged(AddressPolicy);

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let found = policy.resolve(name.as_str(), 0).await;
            let found = found.map_err(|error| Box::new(io::Error::other(error)))?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
