//! The result of a scan as a document. Each form is written while the findings are read page by
//! page, so that the number of findings costs time and no memory.

mod csv;
mod html;
mod json;
mod sarif;
mod verdict;

use std::io;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use poem::{
    Body, IntoResponse, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse, Enum,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use projections::{
    TenantScope, View,
    scans::{FindingFilter, FindingRow, ScanRow, stream_findings},
};

use crate::{command::POSITION, problem::Problem};

/// Findings written in one piece.
const CHUNK: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "ReportFormat")]
pub(crate) enum Format {
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// RFC 4180, safe to open in a spreadsheet.
    Csv,
    /// For people: one page without scripts, good to print.
    Html,
}

impl Format {
    const ALL: [Self; 4] = [Self::Json, Self::Sarif, Self::Csv, Self::Html];

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Sarif => "application/sarif+json",
            Self::Csv => crate::csv::CONTENT_TYPE,
            Self::Html => "text/html; charset=utf-8",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Csv => "csv",
            Self::Html => "html",
        }
    }
}

/// One form of a report.
trait Renderer: Send + 'static {
    /// Everything before the first finding.
    fn head(&self) -> String;

    fn finding(&mut self, row: &FindingRow, out: &mut String);

    /// Everything after the last finding.
    fn tail(&self) -> &'static str;
}

pub(crate) struct Report(Response);

impl Report {
    pub async fn new(
        format: Format,
        scope: TenantScope,
        view: View,
        scan: ScanRow,
    ) -> Result<Self, Problem> {
        let findings = |view| stream_findings(scope, view, scan.id, FindingFilter::default());
        let (name, position) = (scan.id.to_string(), view.position());
        let body = match format {
            Format::Json => written(json::Json::new(scan.clone()), findings(view)),
            Format::Csv => written(csv::Csv::new(&scan), findings(view)),
            Format::Html => written(html::Html::new(scan.clone()), findings(view)),
            Format::Sarif => {
                let rules = sarif::rules(findings(view.clone())).await?;
                written(sarif::Sarif::new(&scan, rules), findings(view))
            }
        };
        let kind = if format == Format::Html { "inline" } else { "attachment" };
        let file = format!("{kind}; filename=\"{name}.{}\"", format.extension());
        let mut response = Response::builder()
            .content_type(format.content_type())
            .header(header::CONTENT_DISPOSITION, file)
            .header(POSITION, position)
            .body(body);
        if format == Format::Html
            && let Ok(policy) = HeaderValue::try_from(html::policy())
        {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        Ok(Self(response))
    }
}

fn written(
    mut renderer: impl Renderer,
    findings: impl stream::Stream<Item = Result<FindingRow, projections::QueryError>> + Send + 'static,
) -> Body {
    let (head, tail) = (renderer.head(), renderer.tail());
    let middle = findings.try_chunks(CHUNK).map(move |chunk| match chunk {
        Ok(rows) => {
            let mut out = String::new();
            for row in &rows {
                renderer.finding(row, &mut out);
            }
            Ok(Bytes::from(out))
        }
        Err(error) => {
            // The client sees that the answer broke off: it cannot take it for a whole report.
            tracing::error!(error = %crate::problem::chain(&error.1), "a report broke off");
            Err(io::Error::other(error.1))
        }
    });
    let whole = |text: String| stream::once(async move { Ok::<_, io::Error>(Bytes::from(text)) });
    Body::from_bytes_stream(whole(head).chain(middle).chain(whole(tail.to_owned())))
}

impl IntoResponse for Report {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Report {
    fn meta() -> MetaResponses {
        let content = Format::ALL.into_iter().map(|format| MetaMediaType {
            content_type: format.content_type(),
            schema: MetaSchemaRef::Inline(Box::new(match format {
                Format::Json | Format::Sarif => MetaSchema::new("object"),
                Format::Csv | Format::Html => MetaSchema::new("string"),
            })),
        });
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The report.",
                status: Some(200),
                status_range: None,
                content: content.collect(),
                headers: Vec::new(),
            }],
        }
    }

    fn register(_registry: &mut Registry) {}
}
