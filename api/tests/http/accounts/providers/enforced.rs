use domain::organizations::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Issuer, browser::sign_in, issuer::now, lets_in, server_with};
use crate::support::{Answer, Server, send, with_json};

fn bob(issuer: &Issuer) -> Value {
    let now = now();
    json!({
        "iss": issuer.url, "sub": "1018", "iat": now, "exp": now + 300,
        "email": "bob@example.org", "email_verified": true,
    })
}

/// Owners are left out: somebody has to come in when the provider is away.
fn only_through_the_provider() -> Value {
    json!({
        "name": "single sign-on",
        "effect": "deny",
        "roles": ["admin", "developer", "viewer"],
        "resource_type": "*",
        "actions": ["*"],
        "conditions": { "signed_in_by": { "not_in": ["id", "key"] } },
    })
}

async fn scans(server: &Server, token: &str) -> Answer {
    server.as_person(Method::GET, "/v1/scans", token).await
}

#[tokio::test]
async fn an_organisation_takes_its_members_through_a_provider_alone() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    let ada = server.person("ada@example.org").await;
    let made = server.makes(&ada, "acme").await;
    let member = server.linked("bob@example.org", &issuer, "1018").await;
    server.joins(&made, &member, Role::Developer).await;
    assert_eq!(scans(&server, member.access()).await.status, 200);

    let policy = only_through_the_provider();
    let added = server.tells(&ada, Method::POST, "/v1/policies", &policy).await;
    assert_eq!(added.status, 202, "{}", added.text);
    server
        .soon_gets(403, || server.bare(Method::GET, "/v1/scans").bearer_auth(member.access()))
        .await;
    let refused = scans(&server, member.access()).await;
    assert_eq!(refused.code(), "provider-needed");
    assert!(refused.json()["detail"].as_str().unwrap().contains("`id`"), "{}", refused.text);
    assert_eq!(scans(&server, ada.access()).await.status, 200, "owners come in all the same");

    let tokens = sign_in(&server, &issuer, bob(&issuer)).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(scans(&server, access).await.status, 200);
    let refreshed =
        server.ask("/v1/auth/refresh", json!({ "refresh_token": tokens["refresh_token"] }));
    let refreshed = refreshed.await.json();
    let access = refreshed["access_token"].as_str().unwrap();
    assert_eq!(scans(&server, access).await.status, 200, "a refreshed session is the same one");

    let key = json!({ "name": "build", "scopes": ["scans:read"] });
    let key = with_json(server.bare(Method::POST, "/v1/keys").bearer_auth(access), &key);
    let key = send(key).await;
    assert_eq!(key.status, 202, "{}", key.text);
    server.settled(&made).await;
    assert_eq!(scans(&server, key.json()["secret"].as_str().unwrap()).await.status, 200);
}
