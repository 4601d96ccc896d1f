//! What surrounds every request: its id and trace, the time limit, cross-origin rules, safety
//! headers, the metric, and the one place where problems are written out.

mod cors;
mod headers;
mod proxies;
mod scope;

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use poem::{
    Endpoint, IntoResponse, PathPattern, Request, Response, Result,
    http::{
        HeaderMap, Method, Uri,
        header::{ORIGIN, SET_COOKIE},
    },
};
use tokio::time::Instant;
use tracing::Instrument;

pub(crate) use scope::Scope;

use crate::{
    problem::{Code, Problem},
    state::App,
};

/// Route label of requests that match no route, so that guessed paths make no new series.
const UNKNOWN_ROUTE: &str = "unknown";

pub(crate) struct Frame<E> {
    inner: E,
    app: App,
    cors: cors::Cors,
    headers: headers::Headers,
    proxies: proxies::Proxies,
    /// Put before the path of the page that explains a problem.
    base: String,
}

impl<E> Frame<E> {
    pub fn new(inner: E, app: App) -> Self {
        let options = &app.options;
        let base = options.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/'));
        Self {
            cors: cors::Cors::new(&options.cors_origins),
            headers: headers::Headers::new(options.public_url.as_ref()),
            proxies: proxies::Proxies::new(&options.trusted_proxies),
            base: base.unwrap_or_default().to_owned(),
            inner,
            app,
        }
    }

    /// The answer to a request that is not taken in. It costs as little as it can.
    pub fn refuse(&self, asked: &HeaderMap, problem: &Problem) -> Response {
        let request_id = scope::request_id(asked, &**self.app.journal.clock());
        let mut answer = problem.render(&request_id, &self.base);
        self.headers.apply(answer.headers_mut(), &request_id);
        self.cors.apply(answer.headers_mut(), asked.get(ORIGIN));
        answer
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Frame<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let started = Instant::now();
        let scope = Arc::new(Scope::of(&request, &**self.app.journal.clock(), &self.proxies));
        let origin = request.headers().get(ORIGIN).cloned();
        request.set_data(Arc::clone(&scope));
        request.set_data(self.app.clone());
        let span = tracing::info_span!(
            "request",
            request_id = %scope.request_id,
            trace_id = %scope.trace.trace_id(),
            method = %request.method(),
        );
        if let Some(link) = self.app.trace_link {
            link(&span, scope.trace.traceparent());
        }
        let method = method_label(request.method());
        let answer = match self.cors.preflight(&request) {
            Some(response) => response,
            None if self.is_blocked(&scope) => {
                let detail = "requests from this address are not taken; the operator knows why";
                Problem::new(Code::AddressBlocked, detail).into_response()
            }
            None if holds_nul(request.uri()) => {
                let detail = "the path or the query holds a NUL character, which nothing here does";
                Problem::new(Code::InvalidParameter, detail).into_response()
            }
            None => self.guarded(request).instrument(span.clone()).await,
        };
        let _entered = span.enter();
        let route = answer
            .data::<PathPattern>()
            .and_then(|pattern| self.app.routes.get(&pattern.0))
            .map_or(UNKNOWN_ROUTE, |route| route.pattern.as_str())
            .to_owned();
        let mut answer = self.written_out(answer, &scope);
        self.headers.apply(answer.headers_mut(), &scope.request_id);
        for cookie in scope.take_cookies() {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
        if let Some(standing) = scope.standing() {
            standing.apply(answer.headers_mut());
        }
        self.cors.apply(answer.headers_mut(), origin.as_ref());
        let (status, elapsed) = (answer.status().as_u16(), started.elapsed());
        metrics::histogram!("http_request_duration_seconds",
            "method" => method, "route" => route.clone(), "status" => status.to_string())
        .record(elapsed.as_secs_f64());
        tracing::debug!(route, status, elapsed_ms = elapsed.as_secs_f64() * 1000.0, "answered");
        Ok(answer)
    }
}

/// No text that is kept has one, and the database cannot be asked for it.
fn holds_nul(uri: &Uri) -> bool {
    uri.path_and_query().is_some_and(|asked| asked.as_str().contains("%00"))
}

impl<E: Endpoint<Output = Response>> Frame<E> {
    fn is_blocked(&self, scope: &Scope) -> bool {
        scope.address.is_some_and(|address| self.app.door.is_closed_to(address))
    }

    /// The answer within the limit of time; a panic becomes a problem.
    async fn guarded(&self, request: Request) -> Response {
        let call = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        match tokio::time::timeout(self.app.options.request_timeout, call).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(error))) => refused(error),
            Ok(Err(_panic)) => {
                tracing::error!("a handler panicked");
                Problem::new(Code::Internal, "the request failed on our side; it has been logged")
                    .into_response()
            }
            Err(_elapsed) => {
                tracing::warn!("the answer took too long");
                Problem::new(Code::TimedOut, "the answer took too long and was given up")
                    .into_response()
            }
        }
    }

    /// Makes a problem document of every error, whoever made it.
    fn written_out(&self, mut response: Response, scope: &Scope) -> Response {
        let Some(mut problem) = response.extensions_mut().remove::<Problem>() else {
            return response;
        };
        if problem.code == Code::MethodNotAllowed
            && let Some(pattern) = response.data::<PathPattern>()
            && let Some(route) = self.app.routes.get(&pattern.0)
        {
            problem = problem.with_header(poem::http::header::ALLOW, route.allow.clone());
        }
        problem.render(&scope.request_id, &self.base)
    }
}

/// The problem that an error is, as the data of an answer.
fn refused(error: poem::Error) -> Response {
    let pattern = error.data::<PathPattern>().cloned();
    let mut response = Problem::of_poem(error).into_response();
    if let Some(pattern) = pattern {
        response.set_data(pattern);
    }
    response
}

/// A bounded label: methods nobody knows are one.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
