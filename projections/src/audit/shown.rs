//! What a reader sees of an entry: personal values are opened for whoever may see them, and masked for
//! everybody else.

use std::{collections::BTreeMap, net::IpAddr};

use domain::{Pii, Sealed};
use journal::{Journal, Personal, PersonalError, origin};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Changes, Entry, Fields};

const MASKED: &str = "[personal]";
const ERASED: &str = "[erased]";
const UNREADABLE: &str = "[unreadable]";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    Everything,
    /// Without what tells who somebody is.
    Masked,
}

/// An entry as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its address, program and changes are those below.
    pub entry: Entry,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub changes: Option<ShownChanges>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ShownChanges {
    pub before: BTreeMap<String, Value>,
    pub after: BTreeMap<String, Value>,
}

impl Sight {
    pub fn of(may_see_personal: bool) -> Self {
        if may_see_personal { Self::Everything } else { Self::Masked }
    }
}

impl Shown {
    /// Kind and id of who did it.
    pub fn actor(&self) -> (&str, Option<&str>) {
        match self.entry.actor.split_once(':') {
            Some((kind, id)) => (kind, Some(id)),
            None => (&self.entry.actor, None),
        }
    }

    /// As the API shows it.
    pub fn to_json(&self) -> Value {
        let ((kind, id), entry) = (self.actor(), &self.entry);
        let mut actor = Map::from_iter([("kind".to_owned(), json!(kind))]);
        actor.extend(given("id", id));
        actor.extend(given("on_behalf_of", entry.on_behalf_of.as_deref()));
        let mut shown = Map::from_iter([
            ("position".to_owned(), json!(entry.position)),
            ("id".to_owned(), json!(entry.event_id)),
            ("at".to_owned(), json!(entry.recorded_at)),
            ("organization_id".to_owned(), json!(entry.org)),
            ("actor".to_owned(), Value::Object(actor)),
            ("action".to_owned(), json!(entry.event_type)),
            (
                "resource".to_owned(),
                json!({ "kind": entry.resource_kind, "id": entry.resource_id }),
            ),
            ("correlation_id".to_owned(), json!(entry.correlation_id)),
        ]);
        if let Some(ShownChanges { before, after }) = &self.changes {
            shown.insert("changes".to_owned(), json!({ "before": before, "after": after }));
        }
        let causation_id = entry.causation_id.map(|id| id.to_string());
        let texts = [
            ("operation", &entry.operation),
            ("address", &self.address),
            ("user_agent", &self.user_agent),
            ("request_id", &entry.request_id),
            ("trace_id", &entry.trace_id),
            ("causation_id", &causation_id),
        ];
        shown.extend(texts.into_iter().filter_map(|(name, text)| given(name, text.as_deref())));
        Value::Object(shown)
    }
}

fn given(name: &str, text: Option<&str>) -> Option<(String, Value)> {
    Some((name.to_owned(), text?.into()))
}

/// Opens what may be seen. It fails only where trying again later may help: one value that cannot be
/// opened does not hide the rest.
pub async fn show(
    journal: &Journal,
    mut entry: Entry,
    sight: Sight,
) -> Result<Shown, PersonalError> {
    let address = match (entry.person, entry.address.take()) {
        (Some(person), Some(text)) => {
            let opened = open(journal, person, origin::ADDRESS, parsed(&text).as_ref()).await?;
            Some(match sight {
                Sight::Everything => opened,
                Sight::Masked => opened.parse::<IpAddr>().map_or(opened, origin::network),
            })
        }
        (_, plain) => plain,
    };
    let user_agent = match (entry.person, entry.user_agent.take()) {
        (Some(_), Some(_)) if sight == Sight::Masked => Some(MASKED.to_owned()),
        (Some(person), Some(text)) => {
            Some(open(journal, person, origin::USER_AGENT, parsed(&text).as_ref()).await?)
        }
        (_, plain) => plain,
    };
    let changes = match entry.changes.take() {
        Some(Changes { before, after }) => Some(ShownChanges {
            before: fields(journal, before, sight).await?,
            after: fields(journal, after, sight).await?,
        }),
        None => None,
    };
    Ok(Shown { entry, address, user_agent, changes })
}

async fn fields(
    journal: &Journal,
    fields: Fields,
    sight: Sight,
) -> Result<BTreeMap<String, Value>, PersonalError> {
    let mut shown = fields.plain;
    for (name, sealing) in fields.personal {
        let text = match sight {
            Sight::Masked => MASKED.to_owned(),
            Sight::Everything => {
                open(journal, sealing.subject, &sealing.name, Some(&sealing.value)).await?
            }
        };
        shown.insert(name, text.into());
    }
    Ok(shown)
}

fn parsed(text: &str) -> Option<Pii<Value>> {
    text.parse::<Sealed>().ok().map(Pii::sealed)
}

async fn open(
    journal: &Journal,
    subject: Uuid,
    name: &str,
    value: Option<&Pii<Value>>,
) -> Result<String, PersonalError> {
    let Some(value) = value else { return Ok(UNREADABLE.to_owned()) };
    match journal.open_personal(subject, name, value).await {
        Ok(Personal::Known(Value::String(text))) => Ok(text),
        Ok(Personal::Known(other)) => Ok(other.to_string()),
        Ok(Personal::Erased) => Ok(ERASED.to_owned()),
        Err(error) if error.is_passing() => Err(error),
        Err(error) => {
            tracing::error!(%error, field = name, "a personal value in the audit log cannot be opened");
            Ok(UNREADABLE.to_owned())
        }
    }
}
