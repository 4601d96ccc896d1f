use reqwest::Method;
use serde_json::{Value, json};
use testkit::totp;

use super::{
    PASSWORD, Person,
    authenticator::Authenticator,
    factors::{methods, step},
    server,
};
use crate::support::{Answer, Server};

impl Server {
    async fn add_passkey(&self, person: &Person, authenticator: &mut Authenticator) -> Value {
        let begun = self.me(person, "passkeys/begin", json!({ "password": PASSWORD })).await;
        assert_eq!(begun.status, 200, "{}", begun.text);
        let begun = begun.json();
        let passkey = authenticator.create(&begun["options"]);
        let body = json!({ "challenge": begun["challenge"], "name": "key", "passkey": passkey });
        let added = self.me(person, "passkeys", body).await;
        assert_eq!(added.status, 200, "{}", added.text);
        added.json()
    }

    async fn begin(&self) -> Value {
        self.ask("/v1/auth/passkey/begin", json!({})).await.json()
    }

    async fn by_passkey(&self, begun: &Value, passkey: Value) -> Answer {
        let body = json!({ "challenge": begun["challenge"], "passkey": passkey });
        self.ask("/v1/auth/passkey", body).await
    }
}

#[tokio::test]
async fn a_passkey_is_the_only_thing_somebody_needs_to_sign_in() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let mut authenticator = Authenticator::new(1);
    let added = server.add_passkey(&ada, &mut authenticator).await;
    assert_eq!(added["recovery_codes"].as_array().unwrap().len(), 10);

    let begun = server.begin().await;
    let answer = authenticator.get(&begun["options"]);
    let tokens = server.by_passkey(&begun, answer.clone()).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    assert_eq!(methods(&tokens.json()), json!(["swk", "mfa"]));
    // What was sent once works no more, nor does it for another challenge.
    assert_eq!(server.by_passkey(&begun, answer.clone()).await.code(), "unauthenticated");
    let other = server.begin().await;
    assert_eq!(server.by_passkey(&other, answer).await.code(), "unauthenticated");
}

#[tokio::test]
async fn an_answer_without_a_counter_is_taken_once_too() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let mut authenticator = Authenticator::new(1);
    // As many do.
    authenticator.counts = false;
    server.add_passkey(&ada, &mut authenticator).await;
    let begun = server.begin().await;
    let answer = authenticator.get(&begun["options"]);
    assert_eq!(server.by_passkey(&begun, answer.clone()).await.status, 200);
    assert_eq!(server.by_passkey(&begun, answer).await.code(), "unauthenticated");
}

#[tokio::test]
async fn a_passkey_that_does_not_know_its_owner_is_a_second_factor_only() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let mut authenticator = Authenticator::new(1);
    authenticator.verifies = false;
    server.add_passkey(&ada, &mut authenticator).await;
    let begun = server.begin().await;
    let alone = authenticator.get(&begun["options"]);
    assert_eq!(server.by_passkey(&begun, alone).await.code(), "unauthenticated");

    let challenge = server.challenged(&ada.email).await;
    assert_eq!(challenge["factors"], json!(["passkey", "recovery_code"]));
    let answer = authenticator.get(&challenge["passkey_options"]);
    let tokens = server.second(&challenge, "passkey", answer).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    assert_eq!(methods(&tokens.json()), json!(["pwd", "swk", "mfa"]));
}

#[tokio::test]
async fn passkeys_of_others_pages_and_people_are_refused() {
    let server = server().await;
    let (ada, bob) =
        (server.person("ada@example.org").await, server.person("bob@example.org").await);
    let mut own = Authenticator::new(1);
    server.add_passkey(&ada, &mut own).await;
    // The same credential cannot become somebody else's.
    let begun = server.me(&bob, "passkeys/begin", json!({ "password": PASSWORD })).await.json();
    let taken = Authenticator::new(1).create(&begun["options"]);
    let body = json!({ "challenge": begun["challenge"], "name": "key", "passkey": taken });
    assert_eq!(server.me(&bob, "passkeys", body).await.code(), "conflict");
    // A page that only looks like ours.
    own.origin = "https://mi11.example";
    let begun = server.begin().await;
    let phished = own.get(&begun["options"]);
    assert_eq!(server.by_passkey(&begun, phished).await.code(), "unauthenticated");
    // An authenticator nobody knows.
    let begun = server.begin().await;
    let unknown = Authenticator::new(9).get(&begun["options"]);
    assert_eq!(server.by_passkey(&begun, unknown).await.code(), "unauthenticated");
    let nonsense = server.by_passkey(&begun, json!({ "id": 7 })).await;
    assert_eq!(nonsense.code(), "validation-failed");
}

#[tokio::test]
async fn a_removed_passkey_signs_nobody_in_and_the_last_factor_takes_the_codes_along() {
    let server = server().await;
    let ada = server.protected("ada@example.org").await;
    let challenge = server.challenged(&ada.person.email).await;
    let code = totp(&ada.secret, step());
    let tokens = server.second(&challenge, "code", code.as_str()).await.json();
    let signed_in = Person { tokens, ..ada.person };
    let mut authenticator = Authenticator::new(1);
    let added = server.add_passkey(&signed_in, &mut authenticator).await;
    assert!(added.get("recovery_codes").is_none(), "codes came with the first factor");
    let password = json!({ "password": PASSWORD });
    let path = format!("passkeys/{}/remove", added["id"].as_str().unwrap());
    assert_eq!(server.me(&signed_in, &path, password.clone()).await.status, 200);
    assert_eq!(server.me(&signed_in, &path, password.clone()).await.code(), "not-found");
    let begun = server.begin().await;
    let gone = authenticator.get(&begun["options"]);
    assert_eq!(server.by_passkey(&begun, gone).await.code(), "unauthenticated");
    assert_eq!(server.me(&signed_in, "totp/remove", password).await.status, 200);
    let access = signed_in.access();
    let shown = server.as_person(Method::GET, "/v1/users/me/second-factors", access).await.json();
    let none = json!({ "totp": false, "passkeys": [], "recovery_codes_left": 0 });
    assert_eq!(shown, none);
}
