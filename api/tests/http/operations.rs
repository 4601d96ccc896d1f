//! The operations of the document, and what each takes.

use std::sync::LazyLock;

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::accounts::PASSWORD;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&api::openapi().0).unwrap());

pub struct Operation {
    pub id: String,
    pub method: Method,
    pub path: String,
    /// Somebody has to be signed in, or a key to be shown.
    pub needs_key: bool,
    pub needs_platform: bool,
    /// An access token of a person, whatever the organisation.
    pub needs_session: bool,
    /// Names of what the query takes.
    pub query: Vec<String>,
    /// With a value for whatever has to be there.
    pub body: Option<Value>,
    /// Names of all fields of the body; none where it takes any JSON.
    pub fields: Option<Vec<String>>,
}

impl Operation {
    pub fn all() -> Vec<Self> {
        let paths = DOCUMENT["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap();
            methods.iter().map(move |(method, operation)| Self::of(path, method, operation))
        });
        operations.collect()
    }

    fn of(path: &str, method: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let of_query = parameters.iter().filter(|parameter| parameter["in"] == "query");
        let content = operation["requestBody"]["content"].as_object();
        let schema = content.and_then(|kinds| kinds.values().next()?.get("schema"));
        Self {
            id: operation["operationId"].as_str().unwrap().to_owned(),
            method: method.to_uppercase().parse().unwrap(),
            path: path.to_owned(),
            needs_key: operation["security"].is_array(),
            needs_platform: operation["security"][0]["platform_bearer"].is_array(),
            needs_session: operation["security"][0]["session"].is_array(),
            query: of_query.map(|it| it["name"].as_str().unwrap().to_owned()).collect(),
            body: schema.map(|schema| match path {
                "/v1/policies" | "/v1/policies/{id}" => a_policy(),
                _ => sample("", schema),
            }),
            fields: schema.and_then(|schema| {
                let fields = resolve(schema)["properties"].as_object()?;
                Some(fields.keys().cloned().collect())
            }),
        }
    }

    /// Its path, with these in the places of its parameters, the last one again where they run out.
    pub fn at(&self, values: &[&str]) -> String {
        let (mut left, mut last) = (values.iter(), "");
        let parts = self.path.split('/').map(|part| {
            if !part.starts_with('{') {
                return part;
            }
            last = left.next().copied().unwrap_or(last);
            last
        });
        parts.collect::<Vec<_>>().join("/")
    }

    pub fn places(&self) -> usize {
        self.path.matches('{').count()
    }
}

fn resolve(schema: &Value) -> &Value {
    if let Some(name) = schema["$ref"].as_str() {
        return resolve(DOCUMENT.pointer(name.trim_start_matches('#')).unwrap());
    }
    match schema["allOf"].get(0).or_else(|| schema["oneOf"].get(0)).or(schema["anyOf"].get(0)) {
        Some(first) if schema.get("properties").is_none() => resolve(first),
        _ => schema,
    }
}

/// The least that the schema of a field lets through.
fn sample(field: &str, schema: &Value) -> Value {
    let schema = match schema["allOf"].as_array() {
        // A variant of a union: its tag, and what it is.
        Some(parts) if parts.len() > 1 && schema.get("properties").is_none() => {
            return parts.iter().map(|part| sample(field, part)).reduce(joined).unwrap();
        }
        _ => resolve(schema),
    };
    if schema["allOf"].as_array().is_some_and(|parts| parts.len() > 1) {
        return sample(field, schema);
    }
    match schema["type"].as_str() {
        Some("object") => {
            let empty = Vec::new();
            let required = schema["required"].as_array().unwrap_or(&empty);
            let fields = required.iter().map(|name| {
                let name = name.as_str().unwrap();
                (name.to_owned(), sample(name, &schema["properties"][name]))
            });
            Value::Object(fields.collect())
        }
        Some("array") => json!([]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(false),
        Some("string") => text(field, schema),
        _ => json!({}),
    }
}

fn joined(mut one: Value, other: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut one, other) {
        fields.extend(more);
    }
    one
}

fn text(field: &str, schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match field {
        "email" => "somebody@example.org".into(),
        "password" => PASSWORD.into(),
        "url" => "https://shop.example.com/".into(),
        _ => match schema["format"].as_str() {
            Some("date-time") => "2026-01-01T00:00:00Z".into(),
            _ => "text".into(),
        },
    }
}

/// Every JSON that `body` becomes when one of the texts in it is exchanged for another.
pub fn with_text(body: &Value, text: &str) -> Vec<Value> {
    let fields = |fields: &Map<String, Value>| {
        let changed = fields.iter().flat_map(|(name, value)| {
            with_text(value, text).into_iter().map(move |value| (name.clone(), value))
        });
        let changed = changed.map(|(name, value)| {
            let mut fields = fields.clone();
            fields.insert(name, value);
            Value::Object(fields)
        });
        changed.collect()
    };
    match body {
        Value::String(_) => vec![text.into()],
        Value::Object(object) => fields(object),
        _ => Vec::new(),
    }
}

/// What a policy can be about is told in words.
pub fn a_policy() -> Value {
    json!({
        "name": "everybody scans",
        "effect": "allow",
        "resource_type": "scans",
        "actions": ["create"],
    })
}
