use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Issuer,
    browser::{Browser, sign_in},
    issuer::now,
    lets_in, server_with,
};
use crate::{
    accounts::PASSWORD,
    support::{Answer, Server, send, with_json},
};

fn claims(issuer: &Issuer, sub: &str, email_verified: bool) -> Value {
    let now = now();
    json!({
        "iss": issuer.url, "sub": sub, "iat": now, "exp": now + 300,
        "email": "ada@example.org", "email_verified": email_verified,
    })
}

async fn remove(server: &Server, access: &str, id: &str, password: Option<&str>) -> Answer {
    let path = format!("/v1/users/me/identities/{id}/remove");
    let request = server.bare(Method::POST, &path).bearer_auth(access);
    send(with_json(request, &json!({ "password": password }))).await
}

#[tokio::test]
async fn an_account_is_not_taken_over_by_its_address() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    let refused = sign_in(&server, &issuer, claims(&issuer, "1017", false)).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "address-not-confirmed"));
    assert_eq!(server.user("ada@example.org").await, None);

    let ada = server.person("ada@example.org").await;
    let refused = sign_in(&server, &issuer, claims(&issuer, "1017", true)).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (409, "address-has-account"));

    let mut provider = lets_in(&issuer);
    provider.authoritative = true;
    let server = server_with(provider).await;
    let person = server.person(&ada.email).await;
    let refused = sign_in(&server, &issuer, claims(&issuer, "1017", false)).await;
    assert_eq!(refused.code(), "address-not-confirmed");
    let answer = sign_in(&server, &issuer, claims(&issuer, "1017", true)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let access = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.fresh_as("/v1/users/me", &access).await["id"], person.id.to_string());
}

#[tokio::test]
async fn an_account_that_somebody_made_with_the_address_of_another_is_its_owners() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    // Eve hopes that Ada will use the account which Eve knows the password of.
    assert_eq!(server.sign_up("ada@example.org").await.status, 200);
    let made = server.user("ada@example.org").await.unwrap();
    let answer = sign_in(&server, &issuer, claims(&issuer, "1017", true)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(server.user("ada@example.org").await, Some(made));
    assert_eq!(server.log_in("ada@example.org", PASSWORD).await.status, 401);
}

#[tokio::test]
async fn a_provider_is_linked_by_the_owner_and_unlinked_unless_it_is_the_last_way_in() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    let ada = server.person("ada@example.org").await;
    let (browser, arrived) =
        Browser::let_in(&server, &issuer, claims(&issuer, "1017", false)).await;
    let challenge = &arrived.json()["challenge"];
    assert_eq!(browser.links(ada.access(), challenge, None).await.code(), "validation-failed");
    let wrong = browser.links(ada.access(), challenge, Some("wrong")).await;
    assert_eq!(wrong.code(), "unauthenticated");
    let linked = browser.links(ada.access(), challenge, Some(PASSWORD)).await;
    assert_eq!(linked.status, 200, "{}", linked.text);
    let tokens = sign_in(&server, &issuer, claims(&issuer, "1017", false)).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(server.fresh_as("/v1/users/me", access).await["id"], ada.id.to_string());
    let listed = server.fresh_as("/v1/users/me/identities", access).await;
    let identity = &listed["identities"][0];
    assert_eq!((&identity["subject"], &identity["provider"]), (&json!("1017"), &json!("id")));

    // Somebody else cannot have it too.
    let bob = server.person("bob@example.org").await;
    let (browser, arrived) = Browser::let_in(&server, &issuer, claims(&issuer, "1017", true)).await;
    let taken = browser.links(bob.access(), &arrived.json()["challenge"], Some(PASSWORD)).await;
    assert_eq!((taken.status.as_u16(), taken.code().as_str()), (409, "identity-linked"));
    let id = identity["id"].as_str().unwrap();
    assert_eq!(remove(&server, bob.access(), id, Some(PASSWORD)).await.code(), "not-found");

    let removed = remove(&server, ada.access(), id, Some(PASSWORD)).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    let refused = sign_in(&server, &issuer, claims(&issuer, "1017", true)).await;
    assert_eq!(refused.code(), "address-has-account");
}

#[tokio::test]
async fn whoever_came_by_a_provider_alone_keeps_it_until_there_is_a_password() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    let tokens = sign_in(&server, &issuer, claims(&issuer, "1017", true)).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    let listed = server.fresh_as("/v1/users/me/identities", access).await;
    let id = listed["identities"][0]["id"].as_str().unwrap();
    let last = remove(&server, access, id, None).await;
    assert_eq!((last.status.as_u16(), last.code().as_str()), (409, "last-way-in"));

    let choose = server.bare(Method::POST, "/v1/users/me/password").bearer_auth(access);
    let chosen = send(with_json(choose, &json!({ "new_password": PASSWORD }))).await;
    assert_eq!(chosen.status, 200, "{}", chosen.text);
    let access = chosen.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(remove(&server, &access, id, None).await.code(), "validation-failed");
    assert_eq!(remove(&server, &access, id, Some(PASSWORD)).await.status, 200);
    assert_eq!(server.log_in("ada@example.org", PASSWORD).await.status, 200);
}
