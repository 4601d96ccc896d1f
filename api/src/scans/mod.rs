//! Scans: asked for, followed, cancelled, read and reported.

mod aliases;
mod convert;
mod error;
mod finding;
mod logs;
mod model;
mod report;

use domain::{
    ids::ScanId,
    scans::{Scan, ScanCommand},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use projections::{
    Slice,
    scans::{self, AsOf, FindingFilter, ScanFilter, ScanRow},
};

pub(crate) use aliases::Aliases;

use crate::{
    auth::Caller,
    command::{Accepted, Input, Terms, etag},
    document::Tag,
    ids::parse_id,
    live::Live,
    problem::Problem,
    read::{Freshness, Read, slice},
    state::App,
};
use finding::{Severity, Status};
use model::{Engine, FindingPage, ScanPage, ScanRequest, ScanView, State, TargetKind};
use report::{Format, Report};

const COLLECTION: &str = "/v1/scans";

pub(crate) struct Scans {
    pub app: App,
}

#[OpenApi(tag = "Tag::Scans")]
impl Scans {
    /// Ask for a scan
    #[oai(path = "/v1/scans", method = "post", operation_id = "request_scan")]
    async fn request(
        &self,
        caller: Caller,
        request: &Request,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<ScanRequest>,
    ) -> Result<Accepted, Problem> {
        request_scan(&self.app, &caller, Terms::new(request, key.0, None), body).await
    }

    /// List scans
    ///
    /// Newest first.
    #[oai(path = "/v1/scans", method = "get", operation_id = "list_scans")]
    async fn list(
        &self,
        caller: Caller,
        /// May be given several times.
        state: Query<Vec<State>>,
        target_kind: Query<Option<TargetKind>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<ScanPage>, Problem> {
        let view = fresh.open(&self.app, scans::NAME).await?;
        let filter = ScanFilter {
            states: state.0.into_iter().map(Into::into).collect(),
            target_kind: target_kind.0.map(|kind| kind.as_str().to_owned()),
        };
        let slice = slice(&limit, &cursor);
        let page = scans::list(caller.tenant(), &view, &filter, slice).await?;
        let scans = page.items.into_iter().map(ScanView::from).collect();
        let body = ScanPage { scans, next_cursor: page.next_cursor };
        Ok(Read::new(body, view.position()))
    }

    /// Read a scan
    #[oai(path = "/v1/scans/:id", method = "get", operation_id = "get_scan")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
        /// As it stood then: a position of the log or a time (RFC 3339).
        as_of: Query<Option<String>>,
        /// The `ETag` that is known already; answered with 304 while it is the present one.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<ScanView>, Problem> {
        read_scan(&self.app, &caller, &id.0, as_of.0, if_none_match.0, fresh).await
    }

    /// List the findings of a scan
    ///
    /// The most severe first.
    #[oai(path = "/v1/scans/:id/findings", method = "get", operation_id = "list_findings")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn findings(
        &self,
        caller: Caller,
        id: Path<String>,
        /// May be given several times.
        severity: Query<Vec<Severity>>,
        /// May be given several times.
        engine: Query<Vec<Engine>>,
        status: Query<Option<Status>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<FindingPage>, Problem> {
        let filter = FindingFilter {
            severities: severity.0.into_iter().map(Into::into).collect(),
            engines: engine.0.into_iter().map(Into::into).collect(),
            status: status.0.map(Into::into),
        };
        let slice = slice(&limit, &cursor);
        list_findings(&self.app, &caller, &id.0, filter, slice, fresh).await
    }

    /// Get the report of a scan
    ///
    /// Of a scan that has not ended, or could not look at everything, it says so before anything
    /// else.
    #[oai(path = "/v1/scans/:id/report", method = "get", operation_id = "get_scan_report")]
    async fn report(
        &self,
        caller: Caller,
        id: Path<String>,
        /// `json` when left out.
        format: Query<Option<Format>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Report, Problem> {
        let (view, row) = find(&self.app, &caller, &id.0, &fresh).await?;
        Report::new(format.0.unwrap_or(Format::Json), caller.tenant(), view, row).await
    }

    /// Follow the output of a scan
    ///
    /// Server-sent events `out` and `progress`, from the start or after `Last-Event-ID`; `end` is
    /// the last one.
    #[oai(path = "/v1/scans/:id/logs", method = "get", operation_id = "follow_scan_logs")]
    async fn logs(
        &self,
        caller: Caller,
        id: Path<String>,
        /// Set by browsers when they come back.
        #[oai(name = "Last-Event-ID")]
        last_event_id: Header<Option<u64>>,
        /// Wait until the scan is known up to this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Live<logs::Line>, Problem> {
        // Before anything is waited for: a right that ends meanwhile ends the stream.
        let slot = caller.open_stream(&self.app).await?;
        let (_, row) = find(&self.app, &caller, &id.0, &fresh).await?;
        logs::follow(&self.app, caller.org, slot, &row, last_event_id.0).await
    }

    /// Cancel a scan
    #[oai(path = "/v1/scans/:id/cancel", method = "post", operation_id = "cancel_scan")]
    async fn cancel(
        &self,
        caller: Caller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        /// The `ETag` of the version that the command is meant for.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        cancel_scan(&self.app, &caller, &id.0, Terms::new(request, key.0, if_match.0)).await
    }

    /// Cancel a scan
    ///
    /// The same as `cancel_scan`: the history of a scan is never deleted.
    #[oai(path = "/v1/scans/:id", method = "delete", operation_id = "delete_scan")]
    async fn delete(
        &self,
        caller: Caller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        /// The `ETag` of the version that the command is meant for.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        cancel_scan(&self.app, &caller, &id.0, Terms::new(request, key.0, if_match.0)).await
    }
}

async fn request_scan(
    app: &App,
    caller: &Caller,
    terms: Terms,
    body: Input<ScanRequest>,
) -> Result<Accepted, Problem> {
    let context = terms.context(app, caller, Some(&body.raw))?;
    let (target, engines, profile) = body.value.into_parts()?;
    let clock = app.journal.clock();
    let id = ScanId::from_uuid(clock.new_id());
    let command = ScanCommand::Request { target, engines, profile, now: clock.now() };
    let committed = app.execute::<Scan>(context, id.to_string(), command).await?;
    Ok(Accepted::new(committed, COLLECTION))
}

async fn cancel_scan(
    app: &App,
    caller: &Caller,
    id: &str,
    terms: Terms,
) -> Result<Accepted, Problem> {
    let id = parse_id::<ScanId>(id)?.to_string();
    let context = terms.context(app, caller, None)?;
    let command = ScanCommand::RequestCancel { now: app.journal.clock().now() };
    let committed = app.execute::<Scan>(context, id.clone(), command).await?;
    // A hint that spares the worker its next look at the log.
    if let Err(error) = app.jobs.signal_cancel(&id).await {
        tracing::debug!(%error, id, "the worker was not told of a cancellation");
    }
    Ok(Accepted::new(committed, COLLECTION))
}

async fn read_scan(
    app: &App,
    caller: &Caller,
    id: &str,
    as_of: Option<String>,
    if_none_match: Option<String>,
    fresh: Freshness,
) -> Result<Read<ScanView>, Problem> {
    if let Some(text) = as_of {
        let (id, point) = (parse_id(id)?, point(&text)?);
        let row = scans::as_of(&app.journal, caller.tenant(), id, point).await?;
        let row = row.ok_or_else(Problem::not_found)?;
        let (tag, position) = (etag(row.sequence), row.position);
        return Ok(
            Read::new(ScanView::from(row), position).versioned(tag, if_none_match.as_deref())
        );
    }
    let (view, row) = find(app, caller, id, &fresh).await?;
    let tag = etag(row.sequence);
    let waits = row.state == domain::scans::ScanStatus::Queued;
    let place = if waits { queue_place(app, caller, &row, &fresh).await? } else { None };
    // The place in the queue moves without a new version.
    let known = if_none_match.as_deref().filter(|_| !waits);
    Ok(Read::new(ScanView::from(row).queued_at(place), view.position()).versioned(tag, known))
}

/// The queue is another view than the scan, and must be as fresh.
async fn queue_place(
    app: &App,
    caller: &Caller,
    row: &ScanRow,
    fresh: &Freshness,
) -> Result<Option<u64>, Problem> {
    use projections::jobs;
    let view = fresh.open(app, jobs::NAME).await?;
    let place = jobs::place(caller.tenant(), &view, &row.id.to_string()).await?;
    Ok(place.map(|place| place.ahead + 1))
}

async fn list_findings(
    app: &App,
    caller: &Caller,
    id: &str,
    filter: FindingFilter,
    slice: Slice<'_>,
    fresh: Freshness,
) -> Result<Read<FindingPage>, Problem> {
    let (view, row) = find(app, caller, id, &fresh).await?;
    let page = scans::findings(caller.tenant(), &view, row.id, &filter, slice).await?;
    let findings = page.items.into_iter().map(Into::into).collect();
    let body = FindingPage { findings, next_cursor: page.next_cursor };
    Ok(Read::new(body, view.position()))
}

/// The scan of the caller, with the view that it was found in.
async fn find(
    app: &App,
    caller: &Caller,
    id: &str,
    fresh: &Freshness,
) -> Result<(projections::View, ScanRow), Problem> {
    let id = parse_id(id)?;
    let view = fresh.open(app, scans::NAME).await?;
    let row = scans::get(caller.tenant(), &view, id).await?;
    Ok((view, row.ok_or_else(Problem::not_found)?))
}

pub(crate) fn point(text: &str) -> Result<AsOf, Problem> {
    if let Ok(position) = text.parse() {
        return Ok(AsOf::Position(position));
    }
    let message = "it must be a position of the log or a time such as 2026-01-31T12:00:00Z";
    text.parse().map(AsOf::Time).map_err(|_| Problem::parameter("as_of", message))
}
