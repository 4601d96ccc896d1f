use domain::event::EventType;
use serde_json::{Map, Value, json};

use super::{Error, sorted};

/// The AsyncAPI 3.0 document of the event stream, as YAML.
pub fn document(schemas: &[(EventType, Value)]) -> Result<String, Error> {
    let mut channels = Map::new();
    let mut operations = Map::new();
    let mut messages = Map::new();
    for (event_type, _) in schemas {
        let name = event_type.name;
        let (aggregate, event) = name.split_once('.').unwrap_or((name, ""));
        channels.insert(
            name.to_owned(),
            json!({
                "address": format!("events.{{organization}}.{aggregate}.{event}"),
                "description": event_type.about,
                "parameters": { "organization": { "description": "Id of the organisation." } },
                "messages": { "event": { "$ref": format!("#/components/messages/{name}") } },
            }),
        );
        operations.insert(
            format!("receive.{name}"),
            json!({
                "action": "receive",
                "channel": { "$ref": format!("#/channels/{name}") },
                "summary": event_type.about,
            }),
        );
        messages.insert(name.to_owned(), message(*event_type));
    }
    let document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Millrace events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Every event of the log, in its order, on the JetStream stream EVENTS. \
                The sequence of a message in the stream is the position of its event in the log.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages, "messageTraits": { "envelope": envelope() } },
    });
    Ok(serde_yaml::to_string(&sorted(document))?)
}

fn message(event_type: EventType) -> Value {
    let file = format!("./events/{}.v{}.json", event_type.name, event_type.version);
    json!({
        "name": event_type.name,
        "title": event_type.name,
        "summary": event_type.about,
        "traits": [{ "$ref": "#/components/messageTraits/envelope" }],
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": { "$ref": file },
        },
    })
}

/// CloudEvents 1.0 in the binary mode of its NATS binding, and what Millrace adds.
fn envelope() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "headers": {
            "type": "object",
            "required": ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "Millrace-Position"],
            "properties": {
                "ce-specversion": { "const": "1.0" },
                "ce-id": text("Id of the event; repeats of it are the same event."),
                "ce-source": text("The aggregate type and its organisation."),
                "ce-type": text("Full name of the event."),
                "ce-time": text("When it was recorded, RFC 3339."),
                "ce-subject": text("Id of the aggregate."),
                "Millrace-Position": text("Position in the log, a whole number that never skips."),
                "Millrace-Epoch": text("Raised when the stream was made again from the log."),
                "traceparent": text("W3C trace context of the command, where there was one."),
            },
        },
    })
}
