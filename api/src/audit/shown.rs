use std::collections::BTreeMap;

use poem_openapi::types::Any;
use projections::audit::{self, Entry, Shown, Sight};
use serde_json::Value;

use super::model::{AuditActor, AuditChanges, AuditEntry, AuditResource};
use crate::{problem::Problem, state::App};

pub(super) async fn shown(app: &App, entry: Entry, sight: Sight) -> Result<AuditEntry, Problem> {
    Ok(audit::show(&app.journal, entry, sight).await?.into())
}

impl From<Shown> for AuditEntry {
    fn from(shown: Shown) -> Self {
        let (kind, id) = shown.actor();
        let (kind, id) = (kind.to_owned(), id.map(str::to_owned));
        let Shown { entry, address, user_agent, changes } = shown;
        let changes = changes.map(|changes| AuditChanges {
            before: fields(changes.before),
            after: fields(changes.after),
        });
        Self {
            position: entry.position,
            id: entry.event_id.to_string(),
            at: entry.recorded_at,
            organization_id: entry.org.to_string(),
            actor: AuditActor { kind, id, on_behalf_of: entry.on_behalf_of },
            action: entry.event_type,
            operation: entry.operation,
            resource: AuditResource { kind: entry.resource_kind, id: entry.resource_id },
            changes,
            address,
            user_agent,
            request_id: entry.request_id,
            trace_id: entry.trace_id,
            correlation_id: entry.correlation_id.to_string(),
            causation_id: entry.causation_id.map(|id| id.to_string()),
        }
    }
}

fn fields(fields: BTreeMap<String, Value>) -> BTreeMap<String, Any<Value>> {
    fields.into_iter().map(|(name, value)| (name, Any(value))).collect()
}
