//! What a reader sees of an entry: personal values are opened for whoever may see them, and masked for
//! everybody else.

use std::{collections::BTreeMap, net::IpAddr};

use domain::{Pii, Sealed};
use journal::{Personal, PersonalError, origin};
use poem_openapi::types::Any;
use projections::audit::{Changes, Entry, Fields};
use serde_json::Value;
use uuid::Uuid;

use super::model::{AuditActor, AuditChanges, AuditEntry, AuditResource};
use crate::{problem::Problem, state::App};

const MASKED: &str = "[personal]";
const ERASED: &str = "[erased]";
const UNREADABLE: &str = "[unreadable]";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    Everything,
    /// Without what tells who somebody is.
    Masked,
}

impl Sight {
    pub fn of(may_see_personal: bool) -> Self {
        if may_see_personal { Self::Everything } else { Self::Masked }
    }
}

pub(super) async fn shown(app: &App, entry: Entry, sight: Sight) -> Result<AuditEntry, Problem> {
    let address = match (entry.person, entry.address) {
        (Some(person), Some(text)) => {
            let opened = open(app, person, origin::ADDRESS, parsed(&text).as_ref()).await?;
            Some(match sight {
                Sight::Everything => opened,
                Sight::Masked => opened.parse::<IpAddr>().map_or(opened, origin::network),
            })
        }
        (_, plain) => plain,
    };
    let user_agent = match (entry.person, entry.user_agent) {
        (Some(_), Some(_)) if sight == Sight::Masked => Some(MASKED.to_owned()),
        (Some(person), Some(text)) => {
            Some(open(app, person, origin::USER_AGENT, parsed(&text).as_ref()).await?)
        }
        (_, plain) => plain,
    };
    let (kind, id) = match entry.actor.split_once(':') {
        Some((kind, id)) => (kind.to_owned(), Some(id.to_owned())),
        None => (entry.actor, None),
    };
    let changes = match entry.changes {
        Some(found) => Some(changes(app, found, sight).await?),
        None => None,
    };
    Ok(AuditEntry {
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
    })
}

async fn changes(app: &App, changes: Changes, sight: Sight) -> Result<AuditChanges, Problem> {
    let (before, after) = (changes.before, changes.after);
    Ok(AuditChanges {
        before: fields(app, before, sight).await?,
        after: fields(app, after, sight).await?,
    })
}

async fn fields(
    app: &App,
    fields: Fields,
    sight: Sight,
) -> Result<BTreeMap<String, Any<Value>>, Problem> {
    let mut shown: BTreeMap<_, _> =
        fields.plain.into_iter().map(|(name, value)| (name, Any(value))).collect();
    for (name, sealing) in fields.personal {
        let text = match sight {
            Sight::Masked => MASKED.to_owned(),
            Sight::Everything => {
                open(app, sealing.subject, &sealing.name, Some(&sealing.value)).await?
            }
        };
        shown.insert(name, Any(Value::from(text)));
    }
    Ok(shown)
}

fn parsed(text: &str) -> Option<Pii<Value>> {
    text.parse::<Sealed>().ok().map(Pii::sealed)
}

/// One value that cannot be opened does not hide the rest.
async fn open(
    app: &App,
    subject: Uuid,
    name: &str,
    value: Option<&Pii<Value>>,
) -> Result<String, Problem> {
    let Some(value) = value else { return Ok(UNREADABLE.to_owned()) };
    match app.journal.open_personal(subject, name, value).await {
        Ok(Personal::Known(Value::String(text))) => Ok(text),
        Ok(Personal::Known(other)) => Ok(other.to_string()),
        Ok(Personal::Erased) => Ok(ERASED.to_owned()),
        Err(error @ PersonalError::Database(_)) => Err(error.into()),
        Err(error) => {
            tracing::error!(%error, field = name, "a personal value in the audit log cannot be opened");
            Ok(UNREADABLE.to_owned())
        }
    }
}
