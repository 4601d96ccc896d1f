//! Everything that is kept about a person, for themselves.

use std::collections::BTreeMap;

use domain::{Timestamp, event, ids::UserId, users::own_organization};
use journal::{Filter, Recorded};
use poem_openapi::{Object, types::Any};
use serde_json::{Map, Value};

use super::me::open;
use crate::{problem::Problem, state::App};

/// In one answer.
const EVENTS: u32 = 1000;

#[derive(Object)]
pub(crate) struct Export {
    pub user_id: String,
    pub events: Vec<ExportedEvent>,
    /// There may be more after it; none when this is all.
    pub next_after: Option<u64>,
}

#[derive(Object)]
pub(crate) struct ExportedEvent {
    pub position: u64,
    #[oai(rename = "type")]
    pub event_type: String,
    pub recorded_at: Timestamp,
    pub data: BTreeMap<String, Any<Value>>,
}

pub(super) async fn export(app: &App, user: UserId, after: u64) -> Result<Export, Problem> {
    let filter = Filter { org: Some(own_organization(user)), ..Filter::default() };
    let page = app.journal.read(after, &filter, EVENTS).await?;
    let more = page.len() == EVENTS as usize;
    let next_after = page.last().filter(|_| more).map(|last| last.position);
    let mut events = Vec::with_capacity(page.len());
    for recorded in page {
        events.push(ExportedEvent {
            position: recorded.position,
            recorded_at: recorded.recorded_at,
            data: in_the_clear(app, user, &recorded).await?,
            event_type: recorded.event_type,
        });
    }
    Ok(Export { user_id: user.to_string(), events, next_after })
}

async fn in_the_clear(
    app: &App,
    user: UserId,
    recorded: &Recorded,
) -> Result<BTreeMap<String, Any<Value>>, Problem> {
    let mut data: Map<String, Value> =
        serde_json::from_str(recorded.payload.get()).map_err(|error| Problem::internal(&error))?;
    data.remove("type");
    for name in event::private_fields(&recorded.event_type) {
        data.remove(*name);
    }
    let mut sealed = Vec::new();
    for mut event in recorded.decode().map_err(|error| Problem::internal(&error))? {
        event.personal(&mut |field| {
            if let Some(value) = field.value.when_sealed().filter(|_| field.subject == user.uuid())
            {
                sealed.push((field.name, value.clone()));
            }
        });
    }
    for (name, value) in sealed {
        let text = Value::from(value.to_string());
        let Some(place) = data.values_mut().find(|value| **value == text) else { continue };
        *place = open(app, user, name, Some(&domain::Pii::sealed(value))).await?.into();
    }
    Ok(data.into_iter().map(|(name, value)| (name, Any(value))).collect())
}
