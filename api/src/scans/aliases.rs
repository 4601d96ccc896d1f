use poem::{
    IntoResponse, Request, Response,
    http::{HeaderName, HeaderValue, header},
};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path, Query},
    registry::{MetaResponses, Registry},
};
use projections::{
    Slice,
    scans::{self, FindingFilter, ScanFilter},
};

use super::{
    cancel_scan, list_findings,
    model::{FindingPage, ScanPage, ScanRequest, ScanView},
    read_scan, request_scan,
};
use crate::{
    auth::Caller,
    command::{Accepted, Input, Terms},
    document::Tag,
    problem::Problem,
    read::{DEFAULT_LIMIT, Freshness, Read},
    state::App,
};

/// When the paths were superseded, as RFC 9745 wants it: the first day of 2026.
const DEPRECATION: HeaderValue = HeaderValue::from_static("@1767225600");
const MAX_LIMIT: u32 = 500;

/// The paths of older clients, with the same operations behind them.
pub(crate) struct Aliases {
    pub app: App,
}

/// An answer that says where its path has gone.
struct Superseded<T> {
    answer: T,
    by: String,
}

#[OpenApi(tag = "Tag::Aliases")]
impl Aliases {
    /// Ask for a scan
    #[oai(
        path = "/api/scan",
        method = "post",
        operation_id = "request_scan_alias",
        deprecated = true
    )]
    async fn request(
        &self,
        caller: Caller,
        request: &Request,
        #[oai(name = "Idempotency-Key")] key: Header<Option<String>>,
        body: Input<ScanRequest>,
    ) -> Result<Superseded<Accepted>, Problem> {
        let terms = Terms::new(request, key.0, None);
        let answer = request_scan(&self.app, &caller, terms, body).await?;
        Ok(Superseded { answer, by: super::COLLECTION.to_owned() })
    }

    /// List scans
    ///
    /// The newest first. `skip` and `limit` are paging of an older kind: at most the 500 newest
    /// scans can be reached by it.
    #[oai(
        path = "/api/scans",
        method = "get",
        operation_id = "list_scans_alias",
        deprecated = true
    )]
    async fn list(
        &self,
        caller: Caller,
        skip: Query<Option<u32>>,
        limit: Query<Option<u32>>,
        #[oai(name = "Millrace-Min-Position")] fresh: Freshness,
    ) -> Result<Superseded<Read<ScanPage>>, Problem> {
        let view = fresh.open(&self.app, scans::NAME).await?;
        let skip = skip.0.unwrap_or(0).min(MAX_LIMIT);
        let limit = limit.0.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT - skip);
        let slice = Slice { limit: skip + limit, cursor: None };
        let page = scans::list(caller.tenant(), &view, &ScanFilter::default(), slice).await?;
        let rows = page.items.into_iter().skip(skip as usize).take(limit as usize);
        let scans = rows.map(ScanView::from).collect();
        let answer = Read::new(ScanPage { scans, next_cursor: None }, view.position());
        Ok(Superseded { answer, by: super::COLLECTION.to_owned() })
    }

    /// Read a scan
    #[oai(
        path = "/api/scan/:id",
        method = "get",
        operation_id = "get_scan_alias",
        deprecated = true
    )]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
        #[oai(name = "Millrace-Min-Position")] fresh: Freshness,
    ) -> Result<Superseded<Read<ScanView>>, Problem> {
        let answer = read_scan(&self.app, &caller, &id.0, None, None, fresh).await?;
        Ok(Superseded { answer, by: format!("{}/{}", super::COLLECTION, id.0) })
    }

    /// List the findings of a scan
    #[oai(
        path = "/api/scan/:id/results",
        method = "get",
        operation_id = "list_findings_alias",
        deprecated = true
    )]
    async fn results(
        &self,
        caller: Caller,
        id: Path<String>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        cursor: Query<Option<String>>,
        #[oai(name = "Millrace-Min-Position")] fresh: Freshness,
    ) -> Result<Superseded<Read<FindingPage>>, Problem> {
        let limit = limit.0.unwrap_or(DEFAULT_LIMIT);
        let slice = Slice { limit, cursor: cursor.0.as_deref() };
        let filter = FindingFilter::default();
        let answer = list_findings(&self.app, &caller, &id.0, filter, slice, fresh).await?;
        Ok(Superseded { answer, by: format!("{}/{}/findings", super::COLLECTION, id.0) })
    }

    /// Cancel a scan
    #[oai(
        path = "/api/scan/:id",
        method = "delete",
        operation_id = "delete_scan_alias",
        deprecated = true
    )]
    async fn delete(
        &self,
        caller: Caller,
        request: &Request,
        id: Path<String>,
        #[oai(name = "Idempotency-Key")] key: Header<Option<String>>,
        #[oai(name = "If-Match")] if_match: Header<Option<String>>,
    ) -> Result<Superseded<Accepted>, Problem> {
        let terms = Terms::new(request, key.0, if_match.0);
        let answer = cancel_scan(&self.app, &caller, &id.0, terms).await?;
        Ok(Superseded { answer, by: format!("{}/{}", super::COLLECTION, id.0) })
    }
}

impl<T: IntoResponse> IntoResponse for Superseded<T> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static("deprecation"), DEPRECATION);
        let link = format!("<{}>; rel=\"successor-version\"", self.by);
        if let Ok(link) = HeaderValue::try_from(link) {
            headers.insert(header::LINK, link);
        }
        response
    }
}

impl<T: ApiResponse> ApiResponse for Superseded<T> {
    fn meta() -> MetaResponses {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
