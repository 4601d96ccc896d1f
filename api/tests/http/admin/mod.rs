//! What operators do about people and organisations.

mod impersonation;
mod search;
mod suspension;

use domain::organizations::{Organization, OrganizationCommand};
use journal::{Actor, Clock, Context, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accounts::Person,
    support::{Answer, Server, Tenant, send, tenant, with_json},
};

/// Somebody in an organisation of their own, with a key that they issued.
pub struct Member {
    pub person: Person,
    pub org: String,
    pub key: String,
}

impl Server {
    /// An organisation with a key of the platform.
    pub async fn operator(&self) -> Tenant {
        self.operator_named("platform").await
    }

    /// Another one, whose organisation has this slug.
    pub async fn operator_named(&self, slug: &str) -> Tenant {
        let tenant = tenant(&self.journal, slug, true).await;
        self.until_known().await;
        tenant
    }

    /// As the command line does it.
    pub async fn revokes_operator(&self, operator: &Tenant) {
        let context = Context::new(operator.org, Actor::Operator, SystemClock.new_id());
        let (key_id, now) = (operator.key_id, SystemClock.now());
        let command = OrganizationCommand::RevokeApiKey { key_id, now };
        let id = operator.org.to_string();
        self.journal.execute::<Organization>(&context, &id, command).await.unwrap();
    }

    pub async fn gives(&self, token: &str, path: &str, body: &Value) -> Answer {
        send(with_json(self.bare(Method::POST, path).bearer_auth(token), body)).await
    }

    pub async fn with_organization(&self, email: &str, slug: &str) -> Member {
        let person = self.person(email).await;
        let body = json!({ "name": "Acme Works", "slug": slug });
        let made = self.gives(person.access(), "/v1/organizations", &body).await;
        assert_eq!(made.status, 202, "{}", made.text);
        let body = json!({ "name": "ci", "scopes": ["*"] });
        let org = made.json()["id"].as_str().unwrap().to_owned();
        let issue = self.bare(Method::POST, "/v1/keys").bearer_auth(person.access());
        let issued = send(with_json(issue.header("millrace-organization", &org), &body)).await;
        assert_eq!(issued.status, 202, "{}", issued.text);
        let issued = issued.json();
        let key = issued["secret"].as_str().unwrap().to_owned();
        let member = Member { person, org, key };
        let position = issued["position"].as_u64().unwrap();
        let known = self.bare(Method::GET, "/v1/keys").bearer_auth(member.person.access());
        let known = known.header("millrace-organization", &member.org);
        assert_eq!(send(known.header("millrace-min-position", position)).await.status, 200);
        member
    }

    pub async fn operates(&self, operator: &Tenant, path: &str, body: &Value) -> Answer {
        self.gives(&operator.key, &format!("/v1/admin/{path}"), body).await
    }

    /// What an operator reads, once the views hold everything that is in the log.
    pub async fn sees(&self, operator: &Tenant, path: &str) -> Value {
        let head = self.journal.head().await.unwrap();
        let request = self.bare(Method::GET, &format!("/v1/admin/{path}"));
        let request = request.bearer_auth(&operator.key).header("millrace-min-position", head);
        let answer = send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}
