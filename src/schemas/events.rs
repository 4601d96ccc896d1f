use domain::{
    address_blocks::AddressBlockEvent,
    audit::AuditEvent,
    event::{EventType, catalogue, private_fields},
    factors::FactorEvent,
    organizations::OrganizationEvent,
    scans::ScanEvent,
    sessions::SessionEvent,
    users::UserEvent,
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::Error;

/// The JSON Schema (draft 2020-12) of every event's payload.
pub fn schemas() -> Result<Vec<(EventType, Value)>, Error> {
    let families = [
        ("address_block", family::<AddressBlockEvent>()),
        ("audit", family::<AuditEvent>()),
        ("organization", family::<OrganizationEvent>()),
        ("second_factor", family::<FactorEvent>()),
        ("scan", family::<ScanEvent>()),
        ("session", family::<SessionEvent>()),
        ("user", family::<UserEvent>()),
    ];
    catalogue()
        .map(|event_type| {
            let (aggregate, tag) =
                event_type.name.split_once('.').ok_or(Error::NoSchema(event_type.name))?;
            let schema = families
                .iter()
                .find(|(name, _)| *name == aggregate)
                .and_then(|(_, family)| variant(family, tag))
                .ok_or(Error::NoSchema(event_type.name))?;
            Ok((event_type, titled(schema, event_type)))
        })
        .collect()
}

fn family<E: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<E>().to_value()
}

/// The alternative of a tagged union whose `type` is `tag`, with the definitions it needs.
fn variant(family: &Value, tag: &str) -> Option<Value> {
    let mut variant = family["oneOf"]
        .as_array()?
        .iter()
        .find(|alternative| alternative["properties"]["type"]["const"] == tag)?
        .clone();
    let mut needed = serde_json::Map::new();
    collect(&variant, &family["$defs"], &mut needed);
    if !needed.is_empty() {
        variant["$defs"] = Value::Object(needed);
    }
    Some(variant)
}

fn collect(schema: &Value, all: &Value, needed: &mut serde_json::Map<String, Value>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) =
                fields.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/"))
                && !needed.contains_key(name)
            {
                needed.insert(name.to_owned(), all[name].clone());
                collect(&all[name], all, needed);
            }
            fields.values().for_each(|field| collect(field, all, needed));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, all, needed)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn titled(mut schema: Value, event_type: EventType) -> Value {
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(format!("{} v{}", event_type.name, event_type.version));
    schema["description"] = json!(event_type.about);
    for field in private_fields(event_type.name) {
        // Left out wherever an organisation is shown its events.
        schema["properties"][field]["x-private"] = json!(true);
    }
    schema
}
