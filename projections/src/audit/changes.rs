//! What an event changed, field by field.

use std::collections::BTreeMap;

use domain::{Event, Pii, event};
use journal::Recorded;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use uuid::Uuid;

/// Of a larger payload the changes are left out; the event itself has them.
const MAX_PAYLOAD: usize = 16 * 1024;

/// What stands in place of a secret, as JSON.
const SECRET: &str = "\"[secret]\"";

/// The fields that an event set, and what they were before it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes<V = Value> {
    #[serde(default = "Fields::none", skip_serializing_if = "Fields::is_empty")]
    pub before: Fields<V>,
    #[serde(default = "Fields::none", skip_serializing_if = "Fields::is_empty")]
    pub after: Fields<V>,
}

/// Fields by name, their values as `V`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fields<V = Value> {
    #[serde(default = "BTreeMap::new", skip_serializing_if = "BTreeMap::is_empty")]
    pub plain: BTreeMap<String, V>,
    /// They stand apart, so that nothing that somebody wrote can be taken for one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub personal: BTreeMap<String, Sealing>,
}

/// A personal value, and what it is opened with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sealing {
    pub subject: Uuid,
    /// The field that it was sealed as.
    pub name: String,
    pub value: Pii<Value>,
}

impl<V> Fields<V> {
    pub(super) fn none() -> Self {
        Self { plain: BTreeMap::new(), personal: BTreeMap::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.personal.is_empty()
    }
}

impl<'a, V: Deserialize<'a> + Clone> Fields<V> {
    /// What stands in the payload. The id of what the event is about is none of its fields.
    fn plain(recorded: &'a Recorded, id_field: &str, secret: &V) -> Option<Self> {
        let payload = recorded.payload.get();
        if payload.len() > MAX_PAYLOAD {
            return None;
        }
        let mut plain: BTreeMap<String, V> = serde_json::from_str(payload).ok()?;
        plain.remove("type");
        plain.remove(id_field);
        for name in event::private_fields(&recorded.event_type) {
            plain.entry((*name).to_owned()).and_modify(|value| *value = secret.clone());
        }
        Some(Self { plain, personal: BTreeMap::new() })
    }
}

impl<'a> Fields<&'a RawValue> {
    /// Those that an event of a scan set. There is nothing personal in scans, and there are many of
    /// them.
    pub(super) fn of_scan(recorded: &'a Recorded) -> Option<Self> {
        let secret = serde_json::from_str(SECRET).ok()?;
        Self::plain(recorded, "", &secret)
    }
}

impl Fields {
    /// Those that an event set, the personal ones apart.
    pub(super) fn of(recorded: &Recorded, events: &[Event], id_field: &str) -> Option<Self> {
        let secret = serde_json::from_str(SECRET).ok()?;
        let mut fields = Self::plain(recorded, id_field, &secret)?;
        events.iter().for_each(|event| fields.set_apart(event));
        Some(fields)
    }

    fn set_apart(&mut self, event: &Event) {
        event.clone().personal(&mut |field| {
            let Some(sealed) = field.value.when_sealed() else { return };
            let text = Value::from(sealed.to_string());
            let found = self.plain.iter().find(|(_, value)| **value == text);
            let Some(key) = found.map(|(key, _)| key.clone()) else { return };
            self.plain.remove(&key);
            let value = Pii::sealed(sealed.clone());
            let sealing = Sealing { subject: field.subject, name: field.name.to_owned(), value };
            self.personal.insert(key, sealing);
        });
    }

    /// Takes over the fields that others have set; gives what those were before.
    pub(super) fn overwrite(&mut self, others: &Self) -> Self {
        let mut before = Self::default();
        for (name, value) in &others.plain {
            if is_moment(name) {
                continue;
            }
            match self.plain.insert(name.clone(), value.clone()) {
                Some(old) if old != *value => {
                    before.plain.insert(name.clone(), old);
                }
                _ => {}
            }
        }
        for (name, sealing) in &others.personal {
            if let Some(old) = self.personal.insert(name.clone(), sealing.clone()) {
                before.personal.insert(name.clone(), old);
            }
        }
        before
    }
}

/// When something happened is said of each event anew and changes nothing.
fn is_moment(field: &str) -> bool {
    field.ends_with("ed_at")
}
