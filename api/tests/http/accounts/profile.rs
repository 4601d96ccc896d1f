use domain::users::CHANGE_EMAIL_LINK;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PASSWORD, Person, server};
use crate::support::{Answer, Server, send, with_json};

const NEW: &str = "copper lantern harbour 3";

impl Server {
    async fn put_profile(&self, person: &Person, body: Value) -> Answer {
        let request = self.bare(Method::PUT, "/v1/users/me").bearer_auth(person.access());
        send(with_json(request, &body)).await
    }

    async fn ask_email(&self, person: &Person, email: &str) -> Answer {
        self.me(person, "email", json!({ "password": PASSWORD, "email": email })).await
    }

    /// What the link of the mail to the new address ends with.
    async fn change_link(&self, person: &Person) -> Value {
        let id = person.id.to_string();
        let nonce = self.state(person.id).await.email_change.unwrap().link.nonce;
        let links = self.journal.secret().unwrap().link_key();
        let token = links.token(CHANGE_EMAIL_LINK, &id, &nonce);
        json!({ "token": format!("{id}.{}", token.expose()) })
    }
}

#[tokio::test]
async fn a_profile_is_changed_and_shown() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let profile = json!({ "name": "Ada King", "language": "en-GB", "time_zone": "Europe/London" });
    assert_eq!(server.put_profile(&ada, profile.clone()).await.status, 200);
    let me = server.fresh_as("/v1/users/me", ada.access()).await;
    for field in ["name", "language", "time_zone"] {
        assert_eq!(me[field], profile[field], "{field}");
    }
    for bad in [
        json!({ "time_zone": "Europe/Atlantis" }),
        json!({ "language": "e" }),
        json!({ "language": "en_GB" }),
        json!({ "name": "\u{0}" }),
        json!({ "name": "x".repeat(101) }),
    ] {
        assert_eq!(
            server.put_profile(&ada, bad.clone()).await.code(),
            "validation-failed",
            "{bad}"
        );
    }
    // Nobody makes themselves what they are not.
    let more = json!({ "name": "Ada", "email_verified": false, "roles": ["owner"], "id": "x" });
    let _ = server.put_profile(&ada, more).await;
    let me = server.fresh_as("/v1/users/me", ada.access()).await;
    assert_eq!((&me["id"], &me["email_verified"]), (&json!(ada.id.to_string()), &json!(true)));
}

#[tokio::test]
async fn a_new_password_ends_every_session_but_the_one_it_begins() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let change = |old: &str, new: &str| json!({ "password": old, "new_password": new });
    let wrong = server.me(&ada, "password", change("wrong", NEW)).await;
    assert_eq!(wrong.code(), "unauthenticated");
    let weak = server.me(&ada, "password", change(PASSWORD, "password1")).await;
    assert_eq!(weak.code(), "validation-failed");
    let changed = server.me(&ada, "password", change(PASSWORD, NEW)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    server.until_refused(ada.access()).await;
    let access = changed.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.as_person(Method::GET, "/v1/users/me", &access).await.status, 200);
    assert_eq!(server.log_in(&ada.email, PASSWORD).await.status, 401);
}

#[tokio::test]
async fn an_address_is_changed_by_the_link_that_was_mailed_to_it() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    assert_eq!(server.ask_email(&ada, &ada.email).await.code(), "validation-failed");
    assert_eq!(server.ask_email(&ada, "ada@king.example").await.status, 200);
    assert_eq!(server.ask_email(&ada, "ada@king.example").await.code(), "too-many-requests");
    // Nothing is changed yet.
    assert!(server.user("ada@king.example").await.is_none());
    let link = server.change_link(&ada).await;
    assert_eq!(server.ask("/v1/auth/change-email", link.clone()).await.status, 200);
    assert_eq!(server.ask("/v1/auth/change-email", link).await.code(), "validation-failed");

    assert_eq!(server.user("ada@king.example").await, Some(ada.id));
    let me = server.fresh_as("/v1/users/me", ada.access()).await;
    assert_eq!(me["email"], "ada@king.example");
    assert_eq!(server.log_in("ada@king.example", PASSWORD).await.status, 200);
    // The former address is free for somebody else.
    let other = server.person("ada@example.org").await;
    assert_ne!(other.id, ada.id);
}

#[tokio::test]
async fn an_address_that_has_an_account_stays_with_it_and_is_not_told_of() {
    let server = server().await;
    let (ada, bob) =
        (server.person("ada@example.org").await, server.person("bob@example.org").await);
    let free = server.ask_email(&bob, "nobody@example.org").await;
    let taken = server.ask_email(&ada, "bob@example.org").await;
    assert_eq!((free.status, free.text), (taken.status, taken.text));
    let link = server.change_link(&ada).await;
    assert_eq!(server.ask("/v1/auth/change-email", link).await.code(), "conflict");
    assert_eq!(server.user("bob@example.org").await, Some(bob.id));
    assert_eq!(server.user("ada@example.org").await, Some(ada.id));
}

#[tokio::test]
async fn a_new_password_voids_a_change_of_address_that_was_asked_for() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    assert_eq!(server.ask_email(&ada, "thief@example.org").await.status, 200);
    let link = server.change_link(&ada).await;
    let body = json!({ "password": PASSWORD, "new_password": NEW });
    assert_eq!(server.me(&ada, "password", body).await.status, 200);
    assert_eq!(server.ask("/v1/auth/change-email", link).await.code(), "validation-failed");
}

#[tokio::test]
async fn an_export_shows_what_is_kept_and_nothing_that_proves_who_somebody_is() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let other = server.person("bob@example.org").await;
    let export = server.as_person(Method::GET, "/v1/users/me/export", ada.access()).await;
    assert_eq!(export.status, 200, "{}", export.text);
    let events = export.json()["events"].clone();
    assert_eq!(events[0]["type"], "user.signed_up");
    assert_eq!(events[0]["data"]["email"], "ada@example.org");
    assert_eq!(events[0]["data"]["name"], "Ada Lovelace");
    for hidden in ["argon2", "_hash", "sealed1", "bob@", &other.id.to_string()] {
        assert!(!export.text.contains(hidden), "{hidden}: {}", export.text);
    }
}
