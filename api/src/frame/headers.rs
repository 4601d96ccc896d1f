use poem::http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A page may bring a policy of its own; everything else is not for browsers to run.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";
/// Two years, as browsers' preload lists want it.
const HSTS: &str = "max-age=63072000; includeSubDomains";

pub(super) struct Headers {
    https: bool,
}

impl Headers {
    pub fn new(public_url: Option<&Url>) -> Self {
        Self { https: public_url.is_some_and(|url| url.scheme() == "https") }
    }

    pub fn apply(&self, headers: &mut HeaderMap, request_id: &str) {
        let fixed = [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "no-referrer"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for (name, value) in
            [(header::CONTENT_SECURITY_POLICY, NOTHING), (header::CACHE_CONTROL, "no-store")]
        {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if self.https {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
        }
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, id);
        }
    }
}
