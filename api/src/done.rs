use poem::{
    IntoResponse, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::{ToJSON, Type},
};

use crate::command::header_meta;

/// The answer to a command that leaves no event: what came of it, and where to look further.
pub(crate) struct Done<T> {
    body: T,
    location: String,
    etag: Option<String>,
}

impl<T> Done<T> {
    pub fn new(body: T, location: String) -> Self {
        Self { body, location, etag: None }
    }

    #[must_use]
    pub fn tagged(mut self, etag: Option<String>) -> Self {
        self.etag = etag;
        self
    }
}

impl<T: ToJSON> IntoResponse for Done<T> {
    fn into_response(self) -> Response {
        let mut response = Response::builder()
            .status(StatusCode::ACCEPTED)
            .content_type("application/json")
            .header(header::LOCATION, self.location)
            .body(self.body.to_json_string());
        if let Some(etag) = self.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }
}

impl<T: ToJSON> ApiResponse for Done<T> {
    fn meta() -> MetaResponses {
        let text = String::schema_ref;
        MetaResponses {
            responses: vec![MetaResponse {
                description: "It was done, or has begun.",
                status: Some(202),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "application/json",
                    schema: T::schema_ref(),
                }],
                headers: vec![
                    header_meta("Location", "The resource.", true, text()),
                    header_meta("ETag", "What `If-Match` compares.", false, text()),
                ],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
