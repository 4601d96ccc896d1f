use reqwest::Method;
use serde_json::json;

use super::{PASSWORD, server};

#[tokio::test]
async fn somebody_signs_up_confirms_the_address_and_signs_in() {
    let server = server().await;
    assert_eq!(server.sign_up("Ada@Example.org").await.status, 200);
    let early = server.log_in("ada@example.org", PASSWORD).await;
    assert_eq!((early.status.as_u16(), early.code().as_str()), (409, "conflict"));

    let ada = server.user("ada@example.org").await.unwrap();
    let [verify, _] = server.links(ada).await;
    let body = json!({ "token": verify });
    assert_eq!(server.ask("/v1/auth/verify-email", body.clone()).await.status, 200);
    // The link works once.
    assert_eq!(server.ask("/v1/auth/verify-email", body).await.code(), "validation-failed");

    let tokens = server.log_in("ADA@example.org", PASSWORD).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    let me = server.fresh_as("/v1/users/me", access).await;
    assert_eq!(me["id"], ada.to_string());
    assert_eq!((&me["email"], &me["name"]), (&json!("ada@example.org"), &json!("Ada Lovelace")));
    assert_eq!(me["email_verified"], true);
    // A person has no organisation yet: what needs one is refused.
    let scans = server.as_person(Method::GET, "/v1/scans", access).await;
    assert_eq!(scans.code(), "organization-required");
}

#[tokio::test]
async fn nothing_of_a_person_is_in_the_log_in_the_clear() {
    let server = server().await;
    server.person("ada.lovelace@example.org").await;
    for event in server.journal.read(0, &journal::Filter::default(), 100).await.unwrap() {
        let text = format!("{event:?}");
        for personal in ["ovelace", "Ada", "127.0.0.1", "argon2"] {
            assert!(!text.contains(personal), "{personal} is in {text}");
        }
    }
}

#[tokio::test]
async fn an_erased_person_gets_a_certificate_and_is_gone() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let erase = |password: &str| {
        let request = server.bare(Method::POST, "/v1/users/me/erase").bearer_auth(ada.access());
        crate::support::send(crate::support::with_json(request, &json!({ "password": password })))
    };
    assert_eq!(erase("not it").await.status, 401);
    let certificate = erase(PASSWORD).await;
    assert_eq!(certificate.status, 200, "{}", certificate.text);
    let certificate = certificate.json();
    assert_eq!(certificate["user_id"], ada.id.to_string());
    assert_eq!(certificate["key_destroyed"], true);
    assert_eq!(certificate["position"], server.journal.head().await.unwrap());

    server.until_refused(ada.access()).await;
    assert_eq!(server.log_in(&ada.email, PASSWORD).await.status, 401);
    assert!(server.state(ada.id).await.email.is_none());
    // The address is free again, for another account.
    let again = server.person("ada@example.org").await;
    assert_ne!(again.id, ada.id);
}
