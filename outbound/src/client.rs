//! Every address is judged when it is known, and the connection goes to that very address; redirects lead
//! nowhere, and proxies of the environment are not asked.

use std::{error, io, iter, net::IpAddr, sync::Arc, time::Duration};

use reqwest::{
    Method, RequestBuilder, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use url::{Host, Url};

use crate::{AddressPolicy, address::Refused};

#[derive(Debug, Clone)]
pub struct Client {
    http: Result<reqwest::Client, String>,
    addresses: AddressPolicy,
    plain_http: PlainHttp,
}

/// Where a request may go without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    Nowhere,
    /// To this very machine, if its addresses are allowed.
    ThisMachine,
    Anywhere,
}

/// Whatever the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
    /// There was more than was asked for.
    pub cut: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the URL does not begin with https://")]
    Scheme,
    #[error("the URL names no host")]
    NoHost,
    #[error("{0}, which may not be reached")]
    Refused(Refused),
    /// The URL may have a secret in it, so it is left out.
    #[error("{0}")]
    Failed(String),
}

impl Client {
    /// `timeout` is for all of a request, its answer included.
    pub fn new(
        addresses: AddressPolicy,
        plain_http: PlainHttp,
        timeout: Duration,
        agent: &str,
    ) -> Self {
        let http = reqwest::Client::builder()
            .dns_resolver(Arc::new(Judged(addresses.clone())))
            .redirect(Policy::none())
            .no_proxy()
            .https_only(plain_http == PlainHttp::Nowhere)
            .timeout(timeout)
            .user_agent(agent)
            .build();
        Self { http: http.map_err(|error| chain(&error)), addresses, plain_http }
    }

    /// A request to be added to and then sent by [`Self::send`].
    pub fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, Error> {
        self.check(url)?;
        let http = self.http.as_ref().map_err(|error| Error::Failed(error.clone()))?;
        Ok(http.request(method, url.clone()))
    }

    /// Reads so many bytes of the answer at most.
    pub async fn send(&self, request: RequestBuilder, max_bytes: usize) -> Result<Answer, Error> {
        let failed = |error: reqwest::Error| Error::Failed(chain(&error.without_url()));
        let mut answer = request.send().await.map_err(failed)?;
        let (status, mut body) = (answer.status(), Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > max_bytes {
                body.truncate(max_bytes);
                return Ok(Answer { status, body, cut: true });
            }
        }
        Ok(Answer { status, body, cut: false })
    }

    /// A host that is an address is asked of no resolver.
    fn check(&self, url: &Url) -> Result<(), Error> {
        let plain = match self.plain_http {
            PlainHttp::Nowhere => false,
            PlainHttp::ThisMachine => names_this_machine(url),
            PlainHttp::Anywhere => true,
        };
        if url.scheme() != "https" && !(plain && url.scheme() == "http") {
            return Err(Error::Scheme);
        }
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::from(ip),
            Some(Host::Ipv6(ip)) => IpAddr::from(ip),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Error::NoHost),
        };
        self.addresses.check(ip).map_err(Error::Refused)
    }
}

/// Whether it is with TLS, or goes to this very machine.
pub fn is_secure(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && names_this_machine(url))
}

fn names_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// A resolver that gives public addresses only, and those that the operator allowed.
#[derive(Debug)]
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

/// An error and all that it comes from, in one line.
fn chain(error: &(dyn error::Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(allowed: &[&str], plain_http: PlainHttp) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allowed: Vec<_> = allowed.iter().map(|range| (*range).to_owned()).collect();
        let policy = AddressPolicy::new(&allowed).unwrap();
        Client::new(policy, plain_http, Duration::from_secs(5), "tests")
    }

    async fn ask(client: &Client, url: &str) -> Result<Answer, Error> {
        let request = client.request(Method::GET, &Url::parse(url).unwrap())?;
        client.send(request, 1000).await
    }

    #[tokio::test]
    async fn what_is_not_public_is_not_reached_however_it_is_written() {
        let client = client(&[], PlainHttp::Anywhere);
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://10.1.2.3/",
            "http://0.0.0.0/",
        ] {
            let error = ask(&client, url).await.unwrap_err();
            assert!(matches!(error, Error::Refused(_)), "{url}: {error}");
        }
        let error = ask(&client, "http://localhost/").await.unwrap_err();
        assert!(error.to_string().contains("loopback"), "{error}");
    }

    #[tokio::test]
    async fn plain_http_goes_no_farther_than_it_may() {
        for (plain, url) in [
            (PlainHttp::Nowhere, "http://localhost/"),
            (PlainHttp::ThisMachine, "http://example.org/"),
            (PlainHttp::ThisMachine, "http://10.0.0.1/"),
            (PlainHttp::Anywhere, "ftp://example.org/"),
        ] {
            let error = ask(&client(&["127.0.0.0/8"], plain), url).await.unwrap_err();
            assert!(matches!(error, Error::Scheme), "{url}: {error}");
        }
    }
}
