//! The way to the first page.

use std::io;

use url::Url;

use super::{client::Request, failure::Failure, response::Response, session::Session, show};

const MAX_REDIRECTS: usize = 5;
const MAX_PAGE_BYTES: usize = 512 * 1024;

/// The first page and how it was reached.
pub(super) struct Landing {
    /// The redirects that led to the page.
    pub hops: Vec<Response>,
    pub page: Response,
    /// The last URL on the way that belongs to the site itself; only it is probed actively.
    pub site: Url,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum NoPage {
    #[error("{} could not be read: {failure}", show::url(.url))]
    Failed { url: Url, failure: Failure },
    #[error("the site redirects more than {MAX_REDIRECTS} times, last to {0}")]
    TooManyRedirects(String),
    #[error("the site redirects to the scheme `{0}`; only http and https can be scanned")]
    Scheme(String),
}

impl NoPage {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed { failure, .. } => failure.code(),
            Self::TooManyRedirects(_) => "too-many-redirects",
            Self::Scheme(_) => "not-http",
        }
    }
}

/// Follows redirects by hand, so that every hop is held against the address policy.
pub(super) async fn reach(session: &mut Session<'_>, start: &Url) -> Result<Landing, NoPage> {
    let mut hops = Vec::new();
    let mut url = start.clone();
    let mut site = start.clone();
    loop {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(NoPage::Scheme(show::text(url.scheme())));
        }
        if hops.len() > MAX_REDIRECTS {
            return Err(NoPage::TooManyRedirects(show::url(&url)));
        }
        let answer = session.client.ask(&Request::get(&url, MAX_PAGE_BYTES)).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => return Err(NoPage::Failed { url, failure }),
        };
        if same_site(&url, start) {
            site = url;
        }
        match answer.redirect() {
            None => return Ok(Landing { hops, page: answer, site }),
            Some(next) => {
                url = next;
                hops.push(answer);
            }
        }
    }
}

/// The same host, apart from a leading `www.`.
pub(super) fn same_site(one: &Url, other: &Url) -> bool {
    fn bare(url: &Url) -> &str {
        let host = url.host_str().unwrap_or_default();
        host.strip_prefix("www.").unwrap_or(host)
    }
    bare(one) == bare(other)
}

impl Landing {
    /// The answers of the site itself, the page last.
    pub fn own_answers(&self) -> impl Iterator<Item = &Response> {
        let all = self.hops.iter().chain(std::iter::once(&self.page));
        all.filter(|answer| same_site(&answer.url, &self.site))
    }

    pub fn leads_away(&self) -> bool {
        !same_site(&self.page.url, &self.site)
    }

    /// Says what about the first page limits what can be found.
    pub fn judge(&self, session: &mut Session<'_>) -> io::Result<()> {
        if self.leads_away() {
            session.note(
                "cross-host-redirect",
                format!(
                    "the site redirects to {}; that page was examined, but only {} was probed",
                    show::url(&self.page.url),
                    show::url(&self.site),
                ),
            )?;
        }
        let status = self.page.status;
        if status.is_client_error() || status.is_server_error() {
            let message =
                format!("the first page answered {status}; the findings describe that answer");
            session.warn("page-status", message)?;
        }
        Ok(())
    }
}
