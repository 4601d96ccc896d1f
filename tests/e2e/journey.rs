//! From an empty mailbox to a certificate of erasure, as people live through it. Each refusal on the way
//! says by its code what is missing.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::MailSink;

use crate::person::{Answer, PASSWORD, Person, with_mailbox};

#[tokio::test]
async fn people_sign_up_work_together_and_leave_nothing_behind() {
    let mut mailbox = MailSink::plain().await;
    let mut millrace = with_mailbox(&mailbox);
    millrace.up();
    let mut ada = Person::new(&millrace, "ada@example.org");
    let mut bob = Person::new(&millrace, "bob@example.org");

    signs_up(&mut ada, &mut mailbox).await;
    let secret = ada.adds_an_app().await;
    let path = makes_an_organization(&mut ada).await;
    bob_joins(&ada, &mut bob, &path, &mut mailbox).await;
    is_restricted_by_a_policy(&ada, &mut bob).await;
    let key = issues_a_key(&bob).await;
    leaves(&ada, &bob, &path, &key).await;
    is_erased(&mut ada, &secret, &path).await;
}

async fn signs_up(ada: &mut Person, mailbox: &mut MailSink) {
    let account = |password: &str| json!({ "email": ada.email, "password": password });
    ada.post("/v1/auth/sign-up", account("password1")).await.refused("validation-failed");
    ada.post("/v1/auth/sign-up", account(PASSWORD)).await.is(200);
    let token = ada.mailed(mailbox, "verify-email").await;
    ada.signs_in(PASSWORD).await.refused("conflict");
    let verify = |token: &str| ada.post("/v1/auth/verify-email", json!({ "token": token }));
    verify(&format!("{token}x")).await.refused("validation-failed");
    verify(&token).await.is(200);
    verify(&token).await.refused("validation-failed");
    ada.signs_in("not it").await.refused("unauthenticated");
    ada.get("/v1/users/me").await.refused("unauthenticated");
    let tokens = ada.signs_in(PASSWORD).await.is(200);
    ada.keeps(&tokens);
    assert_eq!(ada.get("/v1/users/me").await.is(200)["email"], ada.email);
}

async fn makes_an_organization(ada: &mut Person) -> String {
    ada.get("/v1/scans").await.refused("organization-required");
    let make = |slug: &str| ada.post("/v1/organizations", json!({ "name": "Acme", "slug": slug }));
    make("No slug").await.refused("validation-failed");
    make("default").await.refused("conflict");
    let made = make("acme").await.is(202);
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/organizations/{id}");
    ada.organization = Some(id);
    ada.get("/v1/scans").await.is(200);
    path
}

async fn bob_joins(ada: &Person, bob: &mut Person, path: &str, mailbox: &mut MailSink) {
    let invite = json!({ "email": bob.email, "role": "developer" });
    let invitations = format!("{path}/invitations");
    ada.post(&invitations, json!({ "email": "?", "role": "viewer" }))
        .await
        .refused("validation-failed");
    ada.post(&invitations, invite.clone()).await.is(202);
    ada.post(&invitations, invite.clone()).await.refused("too-many-requests");
    let token = bob.mailed(mailbox, "invitation").await;
    let accept = json!({ "token": token });
    bob.post("/v1/invitations/accept", accept.clone()).await.refused("unauthenticated");
    ada.post("/v1/invitations/accept", accept.clone()).await.refused("forbidden");

    bob.arrives(mailbox).await;
    bob.get(path).await.refused("not-found");
    bob.post("/v1/invitations/accept", accept.clone()).await.is(202);
    bob.post("/v1/invitations/accept", accept).await.refused("validation-failed");
    bob.organization.clone_from(&ada.organization);
    assert_eq!(bob.get(path).await.is(200)["slug"], "acme");
    bob.post(&invitations, invite).await.refused("forbidden");
    ada.post(&invitations, json!({ "email": bob.email, "role": "admin" }))
        .await
        .refused("conflict");
}

/// Nobody asks for a scan who signed in with a password alone.
async fn is_restricted_by_a_policy(ada: &Person, bob: &mut Person) {
    let scan = || json!({ "target": { "kind": "website", "url": "http://127.0.0.1:9/" } });
    bob.post("/v1/scans", scan()).await.is(202);
    let policy = json!({
        "name": "scans take two factors",
        "effect": "deny",
        "resource_type": "scans",
        "actions": ["create"],
        "conditions": { "second_factor": false },
    });
    bob.post("/v1/policies", policy.clone()).await.refused("forbidden");
    ada.post("/v1/policies", json!({ "name": "?" })).await.refused("validation-failed");
    ada.post("/v1/policies", policy).await.is(202);
    let refused = soon(async || {
        let answer = bob.post("/v1/scans", scan()).await;
        (answer.status == 403).then_some(answer)
    });
    refused.await.refused("second-factor-needed");
    bob.get("/v1/scans").await.is(200);
    let secret = bob.adds_an_app().await;
    // The session of before is as it was.
    bob.post("/v1/scans", scan()).await.refused("second-factor-needed");
    bob.signs_in_with(&secret).await;
    bob.post("/v1/scans", scan()).await.is(202);
}

/// It reads scans and nothing else.
async fn issues_a_key(bob: &Person) -> String {
    let key = |scope: &str| json!({ "name": "reports", "scopes": [scope] });
    bob.post("/v1/keys", key("scans:fly")).await.refused("validation-failed");
    let issued = bob.post("/v1/keys", key("scans:read")).await.is(202);
    let key = issued["secret"].as_str().unwrap().to_owned();
    soon(async || (with_key(bob, &key, "/v1/scans").await.status == 200).then_some(())).await;
    with_key(bob, &key, "/v1/events").await.refused("forbidden");
    let scan = json!({ "target": { "kind": "website", "url": "http://127.0.0.1:9/" } });
    bob.asks_with(&key, Method::POST, "/v1/scans", scan).await.refused("forbidden");
    with_key(bob, &format!("{key}x"), "/v1/scans").await.refused("unauthenticated");
    key
}

async fn leaves(ada: &Person, bob: &Person, path: &str, key: &str) {
    let leave = format!("{path}/leave");
    ada.post(&leave, Value::Null).await.refused("last-owner");
    bob.post(&leave, Value::Null).await.is(202);
    let out = soon(async || {
        let answer = with_key(bob, key, "/v1/scans").await;
        (answer.status != 200).then_some(answer)
    });
    out.await.refused("unauthenticated");
    bob.get(path).await.refused("not-found");
    bob.get("/v1/users/me").await.is(200);
    let members = ada.get(&format!("{path}/members")).await.is(200);
    assert_eq!(members["members"].as_array().unwrap().len(), 1);
}

async fn is_erased(ada: &mut Person, secret: &str, path: &str) {
    let confirm = |password: &str| json!({ "password": password });
    let erase = "/v1/users/me/erase";
    // The session is older than the app.
    ada.post(erase, confirm(PASSWORD)).await.refused("second-factor-needed");
    ada.signs_in_with(secret).await;
    ada.post(erase, confirm("not it")).await.refused("unauthenticated");
    let certificate = ada.post(erase, confirm(PASSWORD)).await.is(200);
    assert_eq!(certificate["key_destroyed"], true);
    let fields = certificate["unreadable"].as_array().unwrap();
    for (event_type, field) in [
        ("user.signed_up", "email"),
        ("user.signed_up", "password_hash"),
        ("second_factor.totp_added", "secret"),
        ("session.started", "address"),
    ] {
        let named = |one: &Value| one["event_type"] == event_type && one["field"] == field;
        assert!(fields.iter().any(named), "{event_type} {field}: {certificate}");
    }
    soon(async || (ada.get("/v1/users/me").await.status == 401).then_some(())).await;
    ada.get(path).await.refused("unauthenticated");
    ada.signs_in(PASSWORD).await.refused("unauthenticated");
}

async fn with_key(person: &Person, key: &str, path: &str) -> Answer {
    person.asks_with(key, Method::GET, path, Value::Null).await
}

/// What there is within a second.
async fn soon<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "it did not come true within a second");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
