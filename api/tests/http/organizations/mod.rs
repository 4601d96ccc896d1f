//! Organisations and their people, as those meet them.

mod invitations;
mod keys;
mod members;
mod settings;
mod streams;

use std::time::Duration;

use domain::{
    ids::OrganizationId,
    organizations::{Organization, Role},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    accounts::{Person, server},
    support::{Answer, Server, send, with_json},
};

/// An organisation that somebody made.
pub struct Made {
    pub org: OrganizationId,
    pub path: String,
}

impl Server {
    fn asks(&self, person: &Person, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(person.access())
    }

    pub async fn tells(&self, person: &Person, method: Method, path: &str, body: &Value) -> Answer {
        send(with_json(self.asks(person, method, path), body)).await
    }

    pub async fn makes(&self, person: &Person, slug: &str) -> Made {
        let body = json!({ "name": "Acme", "slug": slug });
        let answer = self.tells(person, Method::POST, "/v1/organizations", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        Made { org: id.parse().unwrap(), path: format!("/v1/organizations/{id}") }
    }

    /// Makes somebody a member, as an accepted invitation does.
    pub async fn joins(&self, made: &Made, person: &Person, role: Role) {
        use journal::{Actor, Clock, Context, SystemClock};
        let event = json!({
            "type": "member_joined",
            "user_id": person.id.to_string(),
            "role": role.as_str(),
            "joined_at": SystemClock.now(),
        });
        let id = made.org.to_string();
        let (_, version) =
            self.journal.state::<Organization>(made.org, &id).await.unwrap().unwrap();
        let context = Context::new(made.org, Actor::User(person.id), SystemClock.new_id());
        let request = journal::AppendRequest {
            org: made.org,
            aggregate_type: domain::organizations::TYPE,
            aggregate_id: id,
            expected_version: version,
            events: vec![journal::NewEvent {
                event_id: SystemClock.new_id(),
                event_type: "organization.member_joined".to_owned(),
                event_version: "1".to_owned(),
                payload: serde_json::value::to_raw_value(&event).unwrap(),
            }],
            claims: Vec::new(),
            idempotency: None,
            command_id: SystemClock.new_id(),
            correlation_id: context.correlation_id,
            causation_id: None,
            actor: context.actor.to_string(),
            metadata: context.metadata,
        };
        self.journal.append_request(request).await.unwrap();
        self.settled(made).await;
    }

    /// Until the front end knows everything that has happened to the organisation.
    pub async fn settled(&self, made: &Made) {
        let _ = made;
        let head = self.journal.head().await.unwrap();
        let read = self.request(Method::GET, "/v1/keys?limit=1");
        let answer = send(read.header("millrace-min-position", head)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Until somebody gets this status, which must be within a second.
    pub async fn soon_gets(&self, status: u16, ask: impl Fn() -> RequestBuilder) {
        let wanted = async {
            while send(ask()).await.status != status {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(1), wanted).await;
        in_time.unwrap_or_else(|_| panic!("not {status} within a second"));
    }
}
