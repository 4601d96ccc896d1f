use std::collections::HashSet;

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};

const METHODS: &str = "GET, HEAD, POST, PUT, DELETE";
const REQUEST_HEADERS: &str = "authorization, x-api-key, content-type, idempotency-key, if-match, \
     if-none-match, last-event-id, millrace-min-position, millrace-organization, prefer, traceparent, \
     x-request-id, x-csrf-token, millrace-cookies";
const ANSWER_HEADERS: &str = "etag, location, millrace-position, idempotency-replayed, ratelimit, \
     ratelimit-policy, retry-after, x-request-id, deprecation, link, content-disposition";
/// Seconds for which a browser may keep the answer to a preflight; more is cut by browsers.
const MAX_AGE_S: &str = "7200";

/// Which other origins may call: only those named, compared exactly. Their pages may send our cookies
/// along, which a browser does for pages of the same site alone.
pub(super) struct Cors {
    origins: HashSet<Vec<u8>>,
}

impl Cors {
    pub fn new(origins: &[String]) -> Self {
        Self { origins: origins.iter().map(|origin| origin.clone().into_bytes()).collect() }
    }

    /// The answer to a preflight of an allowed origin. Any other request is none of its business.
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        let asks = request.method() == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !self.allows(headers.get(header::ORIGIN)?) {
            return None;
        }
        Some(
            Response::builder()
                .status(StatusCode::NO_CONTENT)
                .header(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS)
                .header(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS)
                .header(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S)
                .finish(),
        )
    }

    pub fn apply(&self, headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
        if self.origins.is_empty() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin
            && self.allows(origin)
        {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers
                .insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static(ANSWER_HEADERS),
            );
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.contains(origin.as_bytes())
    }
}
