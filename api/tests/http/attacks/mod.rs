//! What is tried on every operation there is. They are taken from the document, so that a new one is
//! attacked as well.

mod foreign_ids;
mod hostile_text;
mod unforeseen_fields;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    accounts::Person,
    operations::{Operation, a_policy},
    organizations::Made,
    support::{Server, Tenant, with_json},
};

/// Somebody who owns an organisation, and a key of the platform.
struct Callers {
    person: Person,
    made: Made,
    policy: String,
    sink: String,
    operator: Tenant,
}

impl Callers {
    async fn of(server: &Server) -> Self {
        let person = server.person("mallory@example.org").await;
        let made = server.makes(&person, "mallory").await;
        server.settled(&made).await;
        let policy = made.add(server, &person, "/v1/policies", a_policy()).await;
        let sink = made.add(server, &person, "/v1/audit/sinks", a_sink()).await;
        let operator = server.operator().await;
        server.settled(&made).await;
        Self { person, made, policy, sink, operator }
    }

    /// A path of the operation that leads somewhere, where it needs to before the body is read.
    fn own(&self, operation: &Operation) -> String {
        let org = self.made.org.to_string();
        let id = match operation.path.as_str() {
            path if path.contains("policies") => &self.policy,
            path if path.contains("sinks") => &self.sink,
            _ => &org,
        };
        operation.at(&[id])
    }

    /// The request of whoever may ask for it.
    fn request(&self, server: &Server, operation: &Operation, path: &str) -> RequestBuilder {
        let request = server.bare(operation.method.clone(), path);
        if operation.needs_platform {
            request.bearer_auth(&self.operator.key)
        } else if operation.needs_key {
            request.bearer_auth(self.person.access())
        } else {
            request
        }
    }
}

fn with_body(request: RequestBuilder, body: Option<&Value>) -> RequestBuilder {
    match body {
        Some(body) => with_json(request, body),
        None => request,
    }
}

/// Whether its answer has an end only where it is refused.
fn is_stream(operation: &Operation) -> bool {
    operation.method == Method::GET
        && ["stream_events", "follow_events", "follow_scan_logs"].contains(&operation.id.as_str())
}

fn a_sink() -> Value {
    json!({ "url": "https://logs.example.org/in", "format": "json" })
}

impl Made {
    /// Makes a part of it; gives its id.
    async fn add(&self, server: &Server, person: &Person, path: &str, body: Value) -> String {
        let answer = server.tells(person, Method::POST, path, &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }
}
