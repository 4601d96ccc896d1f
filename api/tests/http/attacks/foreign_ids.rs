use domain::organizations::Role;
use serde_json::json;
use uuid::Uuid;

use super::{Callers, a_policy, a_sink, with_body};
use crate::{
    accounts::{Person, server},
    dead_letters::poisoned,
    operations::Operation,
    organizations::Made,
    support::{Server, Tenant, send},
};

/// An organisation with one of everything that it can have, and its people.
struct Theirs {
    owner: Person,
    member: Person,
    made: Made,
    ids: Vec<(&'static str, String)>,
}

impl Theirs {
    async fn of(server: &Server) -> Self {
        let owner = server.person("ada@example.org").await;
        let member = server.person("bob@example.org").await;
        let made = server.makes(&owner, "acme").await;
        server.joins(&made, &member, Role::Developer).await;
        let add = async |path: &str, body| made.add(server, &owner, path, body).await;
        let key = add("/v1/keys", json!({ "name": "build", "scopes": ["scans:read"] })).await;
        let policy = add("/v1/policies", a_policy()).await;
        let sink = add("/v1/audit/sinks", a_sink()).await;
        let invitation = json!({ "email": "eve@example.org", "role": "viewer" });
        let invitation = add(&format!("{}/invitations", made.path), invitation).await;
        let tenant = Tenant { org: made.org, key_id: key.parse().unwrap(), key: String::new() };
        let scan = server.queued(&tenant).await.to_string();
        let (poisoned, position) = poisoned(server, &tenant).await;
        server.settled(&made).await;
        let sessions = server.fresh_as("/v1/users/me/sessions", owner.access()).await;
        let session = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();
        let ids = vec![
            ("organization", made.org.to_string()),
            ("owner", owner.id.to_string()),
            ("member", member.id.to_string()),
            ("key", key),
            ("policy", policy),
            ("sink", sink),
            ("invitation", invitation),
            ("scan", scan),
            ("poisoned scan", poisoned.to_string()),
            ("dead letter", format!("scans-{position}")),
            ("session", session),
        ];
        Self { owner, member, made, ids }
    }

    /// Everything that was done to them after a position.
    async fn events_after(&self, server: &Server, position: u64) -> Vec<String> {
        let personal = [&self.owner, &self.member]
            .map(|person| domain::users::own_organization(person.id).uuid());
        let orgs: Vec<Uuid> = personal.into_iter().chain([self.made.org.uuid()]).collect();
        sqlx::query_scalar(
            "SELECT event_type FROM events WHERE position > $1 AND org_id = ANY ($2)",
        )
        .bind(position as i64)
        .bind(orgs)
        .fetch_all(server.journal.pool())
        .await
        .unwrap()
    }
}

/// With every id of another organisation in every place of every path, by a key and by a person of
/// one's own.
#[tokio::test]
async fn what_is_anothers_is_not_there_for_any_operation() {
    let server = server().await;
    let theirs = Theirs::of(&server).await;
    let callers = Callers::of(&server).await;
    let own = callers.made.org.to_string();
    let head = server.journal.head().await.unwrap();
    let mut attacked = 0;
    for operation in Operation::all() {
        if operation.places() == 0 || !operation.needs_key {
            continue;
        }
        for (kind, id) in &theirs.ids {
            let mut paths = vec![operation.at(&[id])];
            if operation.places() > 1 {
                paths.push(operation.at(&[&own, id]));
                paths.push(operation.at(&[&theirs.made.org.to_string(), id]));
            }
            for path in paths {
                let body = operation.body.as_ref();
                let request = || server.bare(operation.method.clone(), &path);
                let by_key = send(with_body(request().bearer_auth(&server.owner.key), body)).await;
                let by_person =
                    send(with_body(request().bearer_auth(callers.person.access()), body)).await;
                let expected = match () {
                    () if operation.needs_platform => (403, 403),
                    () if operation.needs_session => (401, 404),
                    () => (404, 404),
                };
                let statuses = (by_key.status.as_u16(), by_person.status.as_u16());
                let texts = (&by_key.text, &by_person.text);
                assert_eq!(statuses, expected, "{} of a {kind}, {path}: {texts:?}", operation.id);
                attacked += 2;
            }
        }
    }
    assert!(attacked > 500, "{attacked}");
    assert_eq!(theirs.events_after(&server, head).await, Vec::<String>::new());
}
