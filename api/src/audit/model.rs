use std::collections::BTreeMap;

use domain::Timestamp;
use poem_openapi::{Enum, Object, types::Any};
use serde_json::Value;

/// Something that was done.
#[derive(Debug, Object)]
pub(crate) struct AuditEntry {
    /// Of the event in the log.
    pub position: u64,
    /// Of the event in the log.
    pub id: String,
    pub at: Timestamp,
    pub organization_id: String,
    pub actor: AuditActor,
    /// What was done, by the name of the event.
    pub action: String,
    /// The operation of the API that was asked for, where one was.
    #[oai(skip_serializing_if_is_none)]
    pub operation: Option<String>,
    pub resource: AuditResource,
    /// Left out where there is too much to show; the event has it.
    #[oai(skip_serializing_if_is_none)]
    pub changes: Option<AuditChanges>,
    /// Where the request came from.
    #[oai(skip_serializing_if_is_none)]
    pub address: Option<String>,
    /// What the client called itself.
    #[oai(skip_serializing_if_is_none)]
    pub user_agent: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub request_id: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    pub trace_id: Option<String>,
    /// Shared by everything that followed from one request.
    pub correlation_id: String,
    /// The event that led to this one.
    #[oai(skip_serializing_if_is_none)]
    pub causation_id: Option<String>,
}

/// Who did it.
#[derive(Debug, Object)]
pub(crate) struct AuditActor {
    /// `user`, `api_key`, `system`, `operator` or `anonymous`.
    pub kind: String,
    #[oai(skip_serializing_if_is_none)]
    pub id: Option<String>,
    /// For whom a part of the platform acted, `user:<id>` or `api_key:<id>`.
    #[oai(skip_serializing_if_is_none)]
    pub on_behalf_of: Option<String>,
}

/// What it was done to.
#[derive(Debug, Object)]
pub(crate) struct AuditResource {
    pub kind: String,
    pub id: String,
}

/// Field by field. `[secret]`, `[personal]` and `[erased]` stand in place of what is not shown.
#[derive(Debug, Object)]
pub(crate) struct AuditChanges {
    /// What the fields were that are something else now.
    pub before: BTreeMap<String, Any<Value>>,
    pub after: BTreeMap<String, Any<Value>>,
}

#[derive(Debug, Object)]
pub(crate) struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// Left out on the last page.
    #[oai(skip_serializing_if_is_none)]
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "AuditExportFormat")]
pub(crate) enum Format {
    /// One entry a line, as JSON.
    Ndjson,
    /// RFC 4180, safe to open in a spreadsheet.
    Csv,
}

/// What to take out.
#[derive(Debug, Object)]
#[oai(rename = "AuditExportRequest", deny_unknown_fields)]
pub(crate) struct ExportRequest {
    pub format: Format,
    /// Of this organisation, where those of all can be seen.
    pub organization_id: Option<String>,
    /// Who did it: `user_...`, `key_...`, `system:worker`, `operator` or `anonymous`.
    pub actor: Option<String>,
    /// The id of what it was done to.
    pub resource_id: Option<String>,
    /// Names of event types, separated by commas.
    pub action: Option<String>,
    /// Done by the request with this id.
    pub request_id: Option<String>,
    /// Not before this moment.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}
