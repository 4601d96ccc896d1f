//! The collectors that an organisation's audit log is sent to.

use domain::{
    Timestamp,
    audit::{Audit, AuditCommand, SINK_TOKEN, SinkFormat},
    ids::SinkId,
};
use journal::Committed;
use poem::Request;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Header, Path},
};
use projections::{
    View,
    audit::{self, Delivery, SinkRow},
};
use url::Url;

use crate::{
    auth::Caller,
    command::{Accepted, Input, Terms, part_made},
    document::Tag,
    ids::parse_id,
    problem::{Code, Problem},
    read::{Freshness, Read},
    state::App,
};

const COLLECTION: &str = "/v1/audit/sinks";
const DEFAULT_HEADER: &str = "Authorization";
const MAX_TOKEN_BYTES: usize = 2048;

pub(crate) struct AuditSinks {
    pub app: App,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "AuditSinkFormat")]
pub(crate) enum Format {
    /// An array of entries, as Datadog takes them too.
    Json,
    /// One entry a line.
    Ndjson,
    /// As Splunk's HTTP event collector takes them.
    Splunk,
}

/// Where to send entries.
#[derive(Debug, Object)]
#[oai(rename = "AuditSinkRequest", deny_unknown_fields)]
pub(crate) struct SinkRequest {
    /// Begins with `https://`.
    url: String,
    format: Format,
    /// The header that the token is sent in, `Authorization` when left out.
    header: Option<String>,
    /// The whole value of the header: `Splunk 5d1f...`. It is sealed and never shown. When left out, the
    /// one that there is goes on to be sent, unless the URL or the header is another one.
    token: Option<String>,
}

/// A collector, and how far it has been sent the log.
#[derive(Debug, Object)]
#[oai(rename = "AuditSink")]
pub(crate) struct SinkView {
    id: String,
    url: String,
    format: Format,
    header: String,
    has_token: bool,
    set_at: Timestamp,
    /// Everything up to this position of the log has arrived.
    position: u64,
    /// Positions of the log that are still to be sent or passed over.
    lag: u64,
    /// Entries that have arrived.
    entries: u64,
    /// Since something last arrived.
    failed_tries: u32,
    #[oai(skip_serializing_if_is_none)]
    last_error: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    last_failed_at: Option<Timestamp>,
    #[oai(skip_serializing_if_is_none)]
    last_delivered_at: Option<Timestamp>,
    /// While it fails.
    #[oai(skip_serializing_if_is_none)]
    next_try_at: Option<Timestamp>,
}

#[derive(Debug, Object)]
#[oai(rename = "AuditSinkList")]
pub(crate) struct SinkList {
    sinks: Vec<SinkView>,
}

#[OpenApi(tag = "Tag::Audit")]
impl AuditSinks {
    /// Send the audit log to a collector
    ///
    /// From now on, in batches, each at least once and in order. Personal data is masked: nobody could
    /// erase it there. What fails is tried again, later and later.
    #[oai(path = "/v1/audit/sinks", method = "post", operation_id = "add_audit_sink")]
    async fn add(
        &self,
        caller: Caller,
        request: &Request,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<SinkRequest>,
    ) -> Result<Accepted, Problem> {
        let id = SinkId::from_uuid(self.app.journal.clock().new_id());
        let terms = Terms::new(request, key.0, None);
        set(&self.app, &caller, terms, id, body).await
    }

    /// List the collectors
    #[oai(path = "/v1/audit/sinks", method = "get", operation_id = "list_audit_sinks")]
    async fn list(
        &self,
        caller: Caller,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<SinkList>, Problem> {
        let (view, sinks) = find_all(&self.app, &caller, fresh).await?;
        Ok(Read::new(SinkList { sinks }, view.position()))
    }

    /// Read a collector
    #[oai(path = "/v1/audit/sinks/:id", method = "get", operation_id = "get_audit_sink")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<SinkView>, Problem> {
        let (view, sinks) = find_all(&self.app, &caller, fresh).await?;
        let sink = sinks.into_iter().find(|sink| sink.id == id.0);
        Ok(Read::new(sink.ok_or_else(Problem::not_found)?, view.position()))
    }

    /// Change a collector
    ///
    /// It goes on where it was.
    #[oai(path = "/v1/audit/sinks/:id", method = "put", operation_id = "change_audit_sink")]
    async fn change(
        &self,
        caller: Caller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<SinkRequest>,
    ) -> Result<Accepted, Problem> {
        let id: SinkId = parse_id(&id.0)?;
        let known = self.app.journal.state::<Audit>(caller.org, &caller.org.to_string()).await?;
        if !known.is_some_and(|(audit, _)| audit.sinks.contains_key(&id.to_string())) {
            return Err(Problem::not_found());
        }
        set(&self.app, &caller, Terms::new(request, key.0, None), id, body).await
    }

    /// Send nothing to a collector any more
    #[oai(path = "/v1/audit/sinks/:id", method = "delete", operation_id = "remove_audit_sink")]
    async fn remove(
        &self,
        caller: Caller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let sink_id = parse_id(&id.0)?;
        let context = Terms::new(request, key.0, None).context(&self.app, &caller, None)?;
        let now = self.app.journal.clock().now();
        let command = AuditCommand::RemoveSink { sink_id, now };
        let committed = self.app.execute::<Audit>(context, caller.org.to_string(), command).await?;
        Ok(accepted(committed, sink_id))
    }
}

async fn set(
    app: &App,
    caller: &Caller,
    terms: Terms,
    sink_id: SinkId,
    body: Input<SinkRequest>,
) -> Result<Accepted, Problem> {
    // The hash of a request that holds a secret must not be kept: it is left out of it.
    let mut hashed = body.raw;
    if let Some(fields) = hashed.as_object_mut() {
        fields.remove("token");
    }
    let context = terms.context(app, caller, Some(&hashed))?;
    let SinkRequest { url, format, header, token } = body.value;
    check_url(app, &url)?;
    let token = token.map(|token| sealed(app, sink_id, &token)).transpose()?;
    let command = AuditCommand::SetSink {
        sink_id,
        url,
        format: format.into(),
        header: header.unwrap_or_else(|| DEFAULT_HEADER.to_owned()),
        token,
        now: app.journal.clock().now(),
    };
    let committed = app.execute::<Audit>(context, caller.org.to_string(), command).await?;
    let id = part_made(app, &committed, "sink_id", sink_id).await?;
    Ok(accepted(committed, id))
}

/// Which addresses may be reached is judged whenever something is sent, as names lead elsewhere later.
fn check_url(app: &App, url: &str) -> Result<(), Problem> {
    let refused = |text: &str| Problem::new(Code::ValidationFailed, text).at("url", text);
    let parsed = Url::parse(url).map_err(|error| refused(&format!("it is no URL: {error}")))?;
    let plain = app.options.plain_http_sinks && parsed.scheme() == "http";
    if parsed.scheme() != "https" && !plain {
        return Err(refused("it must begin with https://"));
    }
    if parsed.host_str().is_none_or(str::is_empty) {
        return Err(refused("it must name a host"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(refused("it has a login in it; send that as the token, which is sealed"));
    }
    Ok(())
}

fn sealed(app: &App, id: SinkId, token: &str) -> Result<String, Problem> {
    let fits = (1..=MAX_TOKEN_BYTES).contains(&token.len())
        && token.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if !fits {
        let text = format!("it has 1 to {MAX_TOKEN_BYTES} visible characters");
        return Err(Problem::new(Code::ValidationFailed, &text).at("token", text));
    }
    Ok(app.journal.seal_value(SINK_TOKEN, &id.to_string(), token.as_bytes())?)
}

async fn find_all(
    app: &App,
    caller: &Caller,
    fresh: Freshness,
) -> Result<(View, Vec<SinkView>), Problem> {
    let view = fresh.open(app, audit::NAME).await?;
    let rows = audit::sinks(caller.tenant(), &view).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.sink).collect();
    let mut states = audit::deliveries(app.journal.pool(), &ids)
        .await
        .map_err(|error| Problem::unavailable(&error))?;
    let position = view.position();
    let sinks = rows.into_iter().map(|row| {
        let state = states.remove(&row.sink);
        SinkView::new(row, state, position)
    });
    let sinks = sinks.collect();
    Ok((view, sinks))
}

impl SinkView {
    fn new(row: SinkRow, state: Option<Delivery>, head: u64) -> Self {
        let position = state.as_ref().map_or(row.since, |state| state.position);
        let tries = state.as_ref().map_or(0, |state| state.tries);
        let next_try_at = state.as_ref().filter(|_| tries > 0).map(|state| state.next_try_at);
        Self {
            id: row.sink.to_string(),
            url: row.url,
            format: row.format.into(),
            header: row.header,
            has_token: row.token.is_some(),
            set_at: row.set_at,
            position,
            lag: head.saturating_sub(position),
            entries: state.as_ref().map_or(0, |state| state.entries),
            failed_tries: tries,
            last_failed_at: state.as_ref().and_then(|state| state.failed_at),
            last_delivered_at: state.as_ref().and_then(|state| state.delivered_at),
            last_error: state.and_then(|state| state.last_error),
            next_try_at,
        }
    }
}

impl From<Format> for SinkFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Ndjson => Self::Ndjson,
            Format::Splunk => Self::Splunk,
        }
    }
}

impl From<SinkFormat> for Format {
    fn from(format: SinkFormat) -> Self {
        match format {
            SinkFormat::Json => Self::Json,
            SinkFormat::Ndjson => Self::Ndjson,
            SinkFormat::Splunk => Self::Splunk,
        }
    }
}

fn accepted(committed: Committed, id: SinkId) -> Accepted {
    Accepted::of_part(committed, id.to_string(), COLLECTION)
}
