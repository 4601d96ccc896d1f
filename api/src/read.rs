//! What all reads have in common: how fresh they must be and how fresh they are.

use std::{sync::Arc, time::Duration};

use poem::{
    IntoResponse, Request, RequestBody, Response, Result,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions,
    param::Query,
    registry::{MetaMediaType, MetaParamIn, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::{ParseFromParameter, ToJSON, Type},
};
use projections::{Slice, View, ViewError};

use crate::{
    command::{POSITION, header_meta},
    problem::{Code, Problem},
    server::Admitted,
    state::App,
};

/// Answers of one caller may be kept if they are asked about each time.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// Items of a page when the client does not say.
pub(crate) const DEFAULT_LIMIT: u32 = 50;

/// Which part of a list is asked for.
pub(crate) fn slice<'a>(
    limit: &Query<Option<u32>>,
    cursor: &'a Query<Option<String>>,
) -> Slice<'a> {
    Slice { limit: limit.0.unwrap_or(DEFAULT_LIMIT), cursor: cursor.0.as_deref() }
}

/// `Millrace-Min-Position`, and with `Prefer: wait=N` how long to wait for it.
pub(crate) struct Freshness {
    min_position: Option<u64>,
    wait: Option<Duration>,
    admitted: Option<Arc<Admitted>>,
}

impl Freshness {
    /// The view of that name, once it is as fresh as asked for.
    pub async fn open(&self, app: &App, name: &'static str) -> Result<View, Problem> {
        let wait = app.wait(self.wait);
        let now = app.views.open(name, self.min_position, Duration::ZERO).await;
        let Err(stale @ ViewError::Stale { .. }) = now else { return Ok(now?) };
        let aside = self.admitted.as_ref().and_then(|admitted| admitted.step_aside());
        if wait.is_zero() || aside.is_none() {
            return Err(stale.into());
        }
        Ok(app.views.open(name, self.min_position, wait).await?)
    }

    /// How far all of these views are, once they are as fresh as asked for. One that is not built
    /// yet is nowhere.
    pub async fn reached(
        self,
        app: &App,
        names: impl IntoIterator<Item = &'static str>,
    ) -> Result<u64, Problem> {
        let positions = names.into_iter().map(|name| async move {
            match app.views.open(name, self.min_position, app.wait(self.wait)).await {
                Err(ViewError::NotBuilt { .. }) if self.min_position.is_none() => Ok(0),
                opened => opened.map(|view| view.position()),
            }
        });
        let positions = futures::future::try_join_all(positions).await?;
        Ok(positions.into_iter().min().unwrap_or(0))
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        match &error {
            ViewError::Stale { position } => {
                let mut problem = Self::new(Code::StaleRead, error.to_string());
                problem.position = Some(*position);
                problem
            }
            ViewError::NotBuilt { .. } => Self::new(Code::Unavailable, error.to_string()),
            ViewError::Database(_) => Self::unavailable(&error),
        }
    }
}

impl<'a> ApiExtractor<'a> for Freshness {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = u64;
    type ParamRawType = u64;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(u64::schema_ref())
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        options: ExtractParamOptions<u64>,
    ) -> Result<Self> {
        let min_position = match request.headers().get(options.name) {
            None => None,
            Some(value) => Some(
                value
                    .to_str()
                    .ok()
                    .and_then(|text| u64::parse_from_parameter(text).ok())
                    .ok_or_else(|| {
                        Problem::parameter(options.name, "it must be a position, a whole number")
                    })?,
            ),
        };
        let wait = request.header("prefer").and_then(preferred_wait);
        Ok(Self { min_position, wait, admitted: request.data().cloned() })
    }
}

/// The `wait` of RFC 7240, in whole seconds. Other preferences are not ours.
fn preferred_wait(header: &str) -> Option<Duration> {
    header.split([',', ';']).find_map(|preference| {
        let (name, seconds) = preference.split_once('=')?;
        (name.trim().eq_ignore_ascii_case("wait"))
            .then(|| seconds.trim().parse().ok().map(Duration::from_secs))?
    })
}

/// What a read answers.
pub(crate) struct Read<T> {
    body: Option<T>,
    position: u64,
    etag: Option<String>,
}

impl<T> Read<T> {
    pub fn new(body: T, position: u64) -> Self {
        Self { body: Some(body), position, etag: None }
    }

    /// With a version, by which the client can tell that nothing has changed.
    #[must_use]
    pub fn versioned(mut self, etag: String, if_none_match: Option<&str>) -> Self {
        if if_none_match.is_some_and(|header| names(header, &etag)) {
            self.body = None;
        }
        self.etag = Some(etag);
        self
    }
}

fn names(header: &str, etag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

impl<T: ToJSON> IntoResponse for Read<T> {
    fn into_response(self) -> Response {
        let mut response = match &self.body {
            Some(body) => {
                Response::builder().content_type("application/json").body(body.to_json_string())
            }
            None => Response::builder().status(StatusCode::NOT_MODIFIED).finish(),
        };
        let headers = response.headers_mut();
        headers.insert(POSITION, HeaderValue::from(self.position));
        headers.insert(header::CACHE_CONTROL, REVALIDATE);
        if let Some(etag) = self.etag
            && let Ok(etag) = HeaderValue::try_from(etag)
        {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}

impl<T: ToJSON> ApiResponse for Read<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "What the view holds.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "application/json",
                    schema: T::schema_ref(),
                }],
                headers: vec![
                    header_meta(
                        "Millrace-Position",
                        "The answer contains everything up to this position of the log.",
                        true,
                        u64::schema_ref(),
                    ),
                    header_meta(
                        "ETag",
                        "Version of a single resource.",
                        false,
                        String::schema_ref(),
                    ),
                ],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_found_among_other_preferences() {
        assert_eq!(preferred_wait("wait=5"), Some(Duration::from_secs(5)));
        assert_eq!(preferred_wait("respond-async, Wait = 3"), Some(Duration::from_secs(3)));
        assert_eq!(preferred_wait("return=minimal"), None);
        assert_eq!(preferred_wait("wait=soon"), None);
    }

    #[test]
    fn a_known_version_is_recognised() {
        assert!(names("\"1\", W/\"3\"", "\"3\""));
        assert!(names("*", "\"3\""));
        assert!(!names("\"1\"", "\"3\""));
    }
}
