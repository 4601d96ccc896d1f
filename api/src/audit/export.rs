//! Entries as one document, written while they are read page by page.

use std::{collections::BTreeMap, io};

use bytes::Bytes;
use domain::audit::{Audit, AuditCommand, Export, ExportFormat};
use futures::{Stream, StreamExt, future, stream};
use poem::{Body, IntoResponse, Response, http::header};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::ToJSON,
};
use projections::{
    MAX_LIMIT, Reach, Slice, View,
    audit::{self, Sight, Wanted},
};

use super::{
    model::{AuditEntry, ExportRequest, Format},
    shown,
};
use crate::{
    auth::Caller,
    command::POSITION,
    csv,
    live::Slot,
    problem::{Code, Problem},
    state::App,
};

const NDJSON: &str = "application/x-ndjson";
const COLUMNS: [&str; 19] = [
    "position",
    "id",
    "at",
    "organization_id",
    "actor_kind",
    "actor_id",
    "on_behalf_of",
    "action",
    "operation",
    "resource_kind",
    "resource_id",
    "before",
    "after",
    "address",
    "user_agent",
    "request_id",
    "trace_id",
    "correlation_id",
    "causation_id",
];

impl Format {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => NDJSON,
            Self::Csv => csv::CONTENT_TYPE,
        }
    }

    fn head(self) -> String {
        match self {
            Self::Ndjson => String::new(),
            Self::Csv => csv::row(COLUMNS.map(str::to_owned)),
        }
    }

    fn line(self, entry: AuditEntry) -> String {
        match self {
            Self::Ndjson => entry.to_json_string() + "\n",
            Self::Csv => csv::row(cells(entry)),
        }
    }
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Ndjson => Self::Ndjson,
            Format::Csv => Self::Csv,
        }
    }
}

fn cells(entry: AuditEntry) -> [String; COLUMNS.len()] {
    let changes = entry
        .changes
        .map(|changes| (changes.before.to_json_string(), changes.after.to_json_string()));
    let (before, after) = changes.unwrap_or_default();
    [
        entry.position.to_string(),
        entry.id,
        entry.at.to_rfc3339(),
        entry.organization_id,
        entry.actor.kind,
        entry.actor.id.unwrap_or_default(),
        entry.actor.on_behalf_of.unwrap_or_default(),
        entry.action,
        entry.operation.unwrap_or_default(),
        entry.resource.kind,
        entry.resource.id,
        before,
        after,
        entry.address.unwrap_or_default(),
        entry.user_agent.unwrap_or_default(),
        entry.request_id.unwrap_or_default(),
        entry.trace_id.unwrap_or_default(),
        entry.correlation_id,
        entry.causation_id.unwrap_or_default(),
    ]
}

/// Notes in the log what is taken out, and then gives it.
pub(super) async fn export(
    app: &App,
    caller: &Caller,
    reach: Reach,
    sight: Sight,
    request: ExportRequest,
) -> Result<Exported, Problem> {
    let (format, filter) = (request.format, filter(&request));
    let wanted = super::wanted(request)?;
    let slot = caller.open_stream(app).await?;
    let export = Export {
        format: format.into(),
        filter,
        installation: reach == Reach::Installation,
        personal: sight == Sight::Everything,
    };
    let (clock, audit_log) = (app.journal.clock(), caller.org.to_string());
    let command = AuditCommand::Export(export, clock.now());
    app.execute::<Audit>(caller.context(clock.new_id()), audit_log, command).await?;
    let view = app.views.open(audit::NAME, None, std::time::Duration::ZERO).await?;
    let position = view.position();
    let mut pages =
        Pages { app: app.clone(), reach, sight, wanted, view, format, slot, next: None };
    // What fails before anything was sent is told as a problem, and breaks no connection.
    let first = pages.format.head() + &pages.page(None).await?;
    let body = Body::from_bytes_stream(pages.into_stream(first));
    let file = format!("attachment; filename=\"audit-{position}.{}\"", extension(format));
    let response = Response::builder()
        .content_type(format.content_type())
        .header(header::CONTENT_DISPOSITION, file)
        .header(POSITION, position)
        .body(body);
    Ok(Exported(response))
}

fn extension(format: Format) -> &'static str {
    ExportFormat::from(format).as_str()
}

fn filter(request: &ExportRequest) -> BTreeMap<String, String> {
    let time = |time: Option<domain::Timestamp>| time.map(|time| time.to_rfc3339());
    let given = [
        ("organization_id", request.organization_id.clone()),
        ("actor", request.actor.clone()),
        ("resource_id", request.resource_id.clone()),
        ("action", request.action.clone()),
        ("request_id", request.request_id.clone()),
        ("from", time(request.from)),
        ("until", time(request.until)),
    ];
    given.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))).collect()
}

struct Pages {
    app: App,
    reach: Reach,
    sight: Sight,
    wanted: Wanted,
    view: View,
    format: Format,
    /// Held for as long as there is something to write.
    slot: Slot,
    /// Where the page after the present one begins, if there is one.
    next: Option<String>,
}

impl Pages {
    fn into_stream(self, first: String) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let rest = stream::try_unfold(self, |mut pages| async {
            let Some(cursor) = pages.next.take() else { return Ok(None) };
            let text = pages.page(Some(&cursor)).await?;
            Ok(Some((Bytes::from(text), pages)))
        });
        stream::once(future::ready(Ok(Bytes::from(first))))
            .chain(rest)
            .inspect(|part: &Result<Bytes, Problem>| {
                if let Err(problem) = part {
                    // The client sees that the answer broke off: it cannot take it for a whole one.
                    tracing::error!(?problem.code, "an export broke off");
                }
            })
            .map(|part| part.map_err(|problem| io::Error::other(problem.detail)))
    }

    async fn page(&mut self, cursor: Option<&str>) -> Result<String, Problem> {
        if self.slot.is_over() {
            return Err(Problem::new(Code::Unauthenticated, "the right to the export is over"));
        }
        let slice = Slice { limit: MAX_LIMIT, cursor };
        let page = audit::list(self.reach, &self.view, &self.wanted, slice).await?;
        let mut text = String::new();
        for entry in page.items {
            let shown = shown::shown(&self.app, entry, self.sight).await?;
            text.push_str(&self.format.line(shown));
        }
        self.next = page.next_cursor;
        Ok(text)
    }
}

pub(crate) struct Exported(Response);

impl IntoResponse for Exported {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Exported {
    fn meta() -> MetaResponses {
        let content = [NDJSON, csv::CONTENT_TYPE].map(|content_type| MetaMediaType {
            content_type,
            schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
        });
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The entries.",
                status: Some(200),
                status_range: None,
                content: content.into(),
                headers: Vec::new(),
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}
