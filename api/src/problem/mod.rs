//! Errors as RFC 9457 problem documents: the one form in which anything fails here.
//!
//! Inside, a failure is a [`Problem`]. It travels as the data of a response without a body and is
//! written out in one place, by the frame, which knows the request id.

mod code;
mod foreign;
mod page;

use std::error::Error;

use poem::{
    IntoResponse, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::{ToJSON, Type},
};

pub use code::Code;
pub(crate) use page::page;

pub const CONTENT_TYPE: &str = "application/problem+json";

/// Seconds after which it makes sense to come back when nothing better is known.
const RETRY_AFTER_S: u64 = 1;

/// A failure that is told to the client.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    pub code: Code,
    pub detail: String,
    pub errors: Vec<FieldError>,
    /// Where the view stands, for reads that are too old.
    pub position: Option<u64>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One place of the request that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub struct FieldError {
    /// The parameter, the header or the path of the field in the body, `target.url`.
    pub field: String,
    pub message: String,
}

/// An error as RFC 9457 describes it.
#[derive(Debug, Object)]
#[oai(rename = "Problem")]
pub(crate) struct Document {
    /// Page that explains the code.
    #[oai(rename = "type")]
    kind: String,
    /// The same for every occurrence of the code.
    title: String,
    status: u16,
    /// What happened this time.
    detail: String,
    /// Stable name for programs.
    code: String,
    /// Quote it when asking for help.
    request_id: String,
    /// The places of the request that do not fit.
    #[oai(skip_serializing_if_is_empty)]
    errors: Vec<FieldError>,
    /// Position that the view has reached, for the code `stale-read`.
    #[oai(skip_serializing_if_is_none)]
    position: Option<u64>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let problem = Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            position: None,
            headers: Vec::new(),
        };
        match code {
            Code::Unauthenticated | Code::KeyExpired => problem.with_header(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"millrace\""),
            ),
            Code::Overloaded | Code::StaleRead | Code::Unavailable | Code::TimedOut => {
                problem.retry_after(RETRY_AFTER_S)
            }
            _ => problem,
        }
    }

    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "there is no such resource")
    }

    /// A parameter or header whose value does not fit.
    pub fn parameter(name: impl Into<String>, message: impl Into<String>) -> Self {
        let (name, message) = (name.into(), message.into());
        Self::new(Code::InvalidParameter, format!("`{name}`: {message}")).at(name, message)
    }

    /// Something failed that the client cannot help. It is logged here, once, with its chain; the
    /// client learns nothing but the request id.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = %chain(error), "request failed");
        Self::new(Code::Internal, "the request failed on our side; it has been logged")
    }

    /// A part of the installation does not answer. Logged like [`Problem::internal`].
    pub fn unavailable(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = %chain(error), "a dependency failed");
        Self::new(Code::Unavailable, "a part that the answer needs is not available now")
    }

    #[must_use]
    pub fn at(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError { field: field.into(), message: message.into() });
        self
    }

    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
        self
    }

    /// Writes the problem out. `base` is put before the path of the page that explains it.
    pub(crate) fn render(&self, request_id: &str, base: &str) -> Response {
        let document = Document {
            kind: format!("{base}{}#{}", page::PATH, self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            detail: self.detail.clone(),
            code: self.code.as_str().to_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
            position: self.position,
        };
        let mut response = Response::builder()
            .status(self.code.status())
            .content_type(CONTENT_TYPE)
            .body(document.to_json_string());
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }
}

/// An error with everything that caused it, for the log.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.code.status()).finish();
        response.set_data(self);
        response
    }
}

impl poem::error::ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.code.status()
    }

    fn as_response(&self) -> Response {
        self.clone().into_response()
    }
}

/// Every operation may answer with a problem; the document says so once per operation.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "A problem; `code` says which.",
                status: None,
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: CONTENT_TYPE,
                    schema: Document::schema_ref(),
                }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        Document::register(registry);
    }
}
