//! The API document and its pages.

use std::marker::PhantomData;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderValue, Method, header},
};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService, Tags};
use sha2::{Digest, Sha256};

use crate::{
    Apis,
    problem::{self, Code, Problem},
    routes::Undone,
};

const ABOUT: &str = "\
One append-only log, and what happens on it. Commands answer `202` with the position at which they \
stand in the log; a read with that position as `Millrace-Min-Position` sees what the command did. \
Send `Idempotency-Key` with a command to repeat it safely.";

#[derive(Tags)]
pub(crate) enum Tag {
    /// Scans of repositories and websites, their findings and reports.
    Scans,
    /// The log itself, in pages and live.
    Events,
    /// Organisations and their people.
    Organizations,
    /// API keys of the organisation.
    ApiKeys,
    /// What the organisation allows and denies beside the roles of the house.
    Policies,
    /// Who did what to what, from where and because of what.
    Audit,
    /// Events that a view could not apply, and those of the same resource that wait behind them.
    DeadLetters,
    /// The views and their builds. They are the whole installation's.
    Projections,
    /// People: signing up and in, their sessions and what is theirs.
    Accounts,
    /// What whoever runs the platform does about people, addresses and limits.
    Administration,
    /// What an operator's machinery asks. No key is needed.
    Health,
    /// Paths of older clients; the same operations as under `/v1`.
    Aliases,
}

/// The document as JSON and as YAML. It needs nothing that runs.
pub fn openapi() -> (String, String) {
    let service = described(Undone(PhantomData::<Apis>));
    (service.spec(), service.spec_yaml())
}

pub(crate) fn described<T: OpenApi>(api: T) -> OpenApiService<T, ()> {
    OpenApiService::new(api, "Millrace", env!("CARGO_PKG_VERSION")).description(ABOUT).license(
        LicenseObject::new("Apache-2.0").url("https://www.apache.org/licenses/LICENSE-2.0"),
    )
}

/// Answers the fixed pages and hands everything else on.
pub(crate) struct Pages<E> {
    pages: [Page; 4],
    inner: E,
}

struct Page {
    path: &'static str,
    content_type: &'static str,
    policy: HeaderValue,
    body: Bytes,
}

const NO_SCRIPT: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
);

impl<E> Pages<E> {
    pub fn new(inner: E) -> Self {
        let service = described(Undone(PhantomData::<Apis>));
        let browser = service.swagger_ui_html();
        let page = |path, content_type, body: String| Page {
            path,
            content_type,
            policy: NO_SCRIPT,
            body: body.into(),
        };
        let docs =
            Page { policy: policy(&browser), ..page("/docs", "text/html; charset=utf-8", browser) };
        let pages = [
            page("/openapi.json", "application/json", service.spec()),
            page("/openapi.yaml", "application/yaml", service.spec_yaml()),
            page("/docs/problems", "text/html; charset=utf-8", problem::page()),
            docs,
        ];
        Self { pages, inner }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Pages<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let path = request.uri().path();
        let Some(page) = self.pages.iter().find(|page| page.path == path) else {
            return self.inner.call(request).await;
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let problem = Problem::new(Code::MethodNotAllowed, "a page can only be read");
            let allow = HeaderValue::from_static("GET, HEAD");
            return Err(problem.with_header(header::ALLOW, allow).into());
        }
        Ok(Response::builder()
            .content_type(page.content_type)
            .header(header::CONTENT_SECURITY_POLICY, &page.policy)
            .header(header::CACHE_CONTROL, "no-cache")
            .body(page.body.clone()))
    }
}

/// Lets the page run the scripts that it brings, by their hashes, and nothing else. The browser of
/// the document sets styles of elements and draws its icons from data URLs.
fn policy(html: &str) -> HeaderValue {
    let hashes: String = scripts(html)
        .map(|script| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(script))))
        .collect();
    let policy = format!(
        "default-src 'none'; script-src{hashes}; style-src 'unsafe-inline'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(NO_SCRIPT)
}

/// The texts between the tags `<script ..>` and `</script>`.
fn scripts(html: &str) -> impl Iterator<Item = &str> {
    let mut rest = html;
    std::iter::from_fn(move || {
        let (_, from_tag) = rest.split_once("<script")?;
        let (_, from_text) = from_tag.split_once('>')?;
        let (script, after) = from_text.split_once("</script>")?;
        rest = after;
        Some(script)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_of_a_page_are_found_whole() {
        let html = "<head><script charset=\"UTF-8\">one <script> in text</script></head>\
                    <script>two</script>";
        assert_eq!(scripts(html).collect::<Vec<_>>(), ["one <script> in text", "two"]);
    }

    #[test]
    fn the_browser_of_the_document_loads_nothing_from_elsewhere() {
        let html = described(Undone(PhantomData::<Apis>)).swagger_ui_html();
        assert_eq!(scripts(&html).count(), 2);
        for outside in ["src=\"http", "src=\"//", "href=\"http", "@import"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
