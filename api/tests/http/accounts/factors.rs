use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use journal::{Clock, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::totp;

use super::{PASSWORD, Person, server};
use crate::support::{Answer, Server, send, with_json};

/// Somebody with an authenticator app.
pub(super) struct Protected {
    pub(super) person: Person,
    pub(super) secret: String,
    pub(super) codes: Vec<String>,
}

pub(super) fn step() -> i64 {
    SystemClock.now().timestamp() / 30
}

/// What the access token says about how its owner signed in.
pub(super) fn methods(tokens: &Value) -> Value {
    let claims = tokens["access_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    claims["amr"].clone()
}

impl Server {
    pub(super) async fn me(&self, person: &Person, path: &str, body: Value) -> Answer {
        let request = self.bare(Method::POST, &format!("/v1/users/me/{path}"));
        send(with_json(request.bearer_auth(person.access()), &body)).await
    }

    /// The challenge of a sign-in whose password is right.
    pub(super) async fn challenged(&self, email: &str) -> Value {
        let answer = self.log_in(email, PASSWORD).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()
    }

    pub(super) async fn second(
        &self,
        challenge: &Value,
        name: &str,
        value: impl Into<Value>,
    ) -> Answer {
        let mut body = json!({ "challenge": challenge["challenge"] });
        body[name] = value.into();
        self.ask("/v1/auth/second-factor", body).await
    }

    /// Sets up an app by its code of the step before the present one.
    pub(super) async fn protected(&self, email: &str) -> Protected {
        let person = self.person(email).await;
        self.protect(person).await
    }

    pub(super) async fn protect(&self, person: Person) -> Protected {
        let asked = self.me(&person, "totp", json!({ "password": PASSWORD })).await.json();
        let secret = asked["secret"].as_str().unwrap().to_owned();
        assert!(asked["uri"].as_str().unwrap().contains(&secret));
        let body = json!({ "challenge": asked["challenge"], "code": totp(&secret, step() - 1) });
        let confirmed = self.me(&person, "totp/confirm", body).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        let codes = serde_json::from_value(confirmed.json()["recovery_codes"].clone()).unwrap();
        Protected { person, secret, codes }
    }
}

#[tokio::test]
async fn an_authenticator_app_is_asked_for_and_its_code_works_once() {
    let server = server().await;
    let ada = server.protected("ada@example.org").await;
    assert_eq!(ada.codes.len(), 10);
    let challenge = server.challenged(&ada.person.email).await;
    assert_eq!(challenge["factors"], json!(["totp", "recovery_code"]));
    assert!(challenge.get("access_token").is_none());

    let code = totp(&ada.secret, step());
    let tokens = server.second(&challenge, "code", code.as_str()).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    assert_eq!(methods(&tokens.json()), json!(["pwd", "otp", "mfa"]));
    // Neither the code nor the challenge works a second time.
    let again = server.challenged(&ada.person.email).await;
    assert_eq!(server.second(&again, "code", code.as_str()).await.code(), "unauthenticated");
    let answered = server.second(&challenge, "recovery_code", ada.codes[0].as_str()).await;
    assert_eq!(answered.code(), "unauthenticated");
    // A refreshed session is still one with a second factor.
    let body = json!({ "refresh_token": tokens.json()["refresh_token"] });
    let refreshed = server.ask("/v1/auth/refresh", body).await.json();
    assert_eq!(methods(&refreshed), json!(["pwd", "otp", "mfa"]));
}

#[tokio::test]
async fn a_recovery_code_works_once_and_new_ones_replace_all() {
    let server = server().await;
    let ada = server.protected("ada@example.org").await;
    let challenge = server.challenged(&ada.person.email).await;
    let typed = ada.codes[3].to_uppercase();
    let tokens = server.second(&challenge, "recovery_code", typed.as_str()).await.json();
    let signed_in = Person { tokens, ..ada.person };
    let again = server.challenged(&signed_in.email).await;
    let replayed = server.second(&again, "recovery_code", ada.codes[3].as_str()).await;
    assert_eq!(replayed.code(), "unauthenticated");

    let renewed = server.me(&signed_in, "recovery-codes", json!({ "password": PASSWORD })).await;
    let renewed = renewed.json()["recovery_codes"].clone();
    assert_eq!(renewed.as_array().unwrap().len(), 10);
    let former = server.second(&again, "recovery_code", ada.codes[4].as_str()).await;
    assert_eq!(former.code(), "unauthenticated");
    assert_eq!(server.second(&again, "recovery_code", renewed[0].clone()).await.status, 200);
    let shown = server.as_person(Method::GET, "/v1/users/me/second-factors", signed_in.access());
    let shown = shown.await.json();
    assert_eq!((&shown["totp"], &shown["recovery_codes_left"]), (&json!(true), &json!(9)));
}

#[tokio::test]
async fn guesses_are_listened_to_less_and_less_and_then_not_even_the_right_one() {
    let server = server().await;
    let ada = server.protected("ada@example.org").await;
    let challenge = server.challenged(&ada.person.email).await;
    for _ in 0..6 {
        let guess = server.second(&challenge, "code", "000000").await;
        assert_eq!(guess.code(), "unauthenticated");
    }
    let code = totp(&ada.secret, step());
    let right = server.second(&challenge, "code", code.as_str()).await;
    assert_eq!(right.code(), "too-many-requests");
    assert!((1..=30).contains(&right.header("retry-after").parse::<u32>().unwrap()));
    // Guessing does not go on at other challenges either.
    let other = server.challenged(&ada.person.email).await;
    assert_eq!(server.second(&other, "code", "000000").await.code(), "too-many-requests");
}

#[tokio::test]
async fn what_protects_an_account_is_not_changed_by_a_stolen_token_or_password() {
    let server = server().await;
    let ada = server.protected("ada@example.org").await;
    // Her token is from before she had a second factor.
    for path in ["totp/remove", "recovery-codes", "passkeys/begin"] {
        let answer = server.me(&ada.person, path, json!({ "password": PASSWORD })).await;
        assert_eq!(answer.code(), "second-factor-needed", "{path}");
    }
    let challenge = server.challenged(&ada.person.email).await;
    let code = totp(&ada.secret, step());
    let tokens = server.second(&challenge, "code", code.as_str()).await.json();
    let signed_in = Person { tokens, ..ada.person };
    let wrong = server.me(&signed_in, "totp/remove", json!({ "password": "wrong" })).await;
    assert_eq!(wrong.code(), "unauthenticated");
    let removed = server.me(&signed_in, "totp/remove", json!({ "password": PASSWORD })).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    assert_eq!(server.log_in(&signed_in.email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_app_counts_only_once_a_code_has_confirmed_it() {
    let server = server().await;
    let (ada, bob) =
        (server.person("ada@example.org").await, server.person("bob@example.org").await);
    let asked = server.me(&ada, "totp", json!({ "password": PASSWORD })).await.json();
    assert_eq!(server.log_in(&ada.email, PASSWORD).await.status, 200);
    let code = totp(asked["secret"].as_str().unwrap(), step());
    let confirm = |code: &str| json!({ "challenge": asked["challenge"], "code": code });
    let wrong = server.me(&ada, "totp/confirm", confirm("123")).await;
    assert_eq!(wrong.code(), "validation-failed");
    // Nobody else can use what was shown to her, and neither is it a challenge of a sign-in.
    assert_eq!(server.me(&bob, "totp/confirm", confirm(&code)).await.code(), "unauthenticated");
    assert_eq!(server.second(&asked, "code", code.as_str()).await.code(), "unauthenticated");
    assert_eq!(server.me(&ada, "totp/confirm", confirm(&code)).await.status, 200);
    assert_eq!(server.me(&ada, "totp/confirm", confirm(&code)).await.code(), "conflict");
}

#[tokio::test]
async fn nothing_of_second_factors_is_in_the_log_in_the_clear() {
    let server = server().await;
    let ada = server.protected("ada@example.org").await;
    for event in server.journal.read(0, &journal::Filter::default(), 100).await.unwrap() {
        let text = format!("{event:?}");
        assert!(!text.contains(&ada.secret), "{text}");
        for code in &ada.codes {
            assert!(!text.contains(code.as_str()), "{text}");
        }
    }
}

#[tokio::test]
async fn an_operator_removes_the_factors_of_somebody_who_lost_them() {
    let server = server().await;
    let operator = server.operator().await;
    let ada = server.protected("ada@example.org").await;
    assert_eq!(server.log_in(&ada.person.email, PASSWORD).await.status, 202);
    let path = format!("/v1/admin/users/{}/remove-second-factors", ada.person.id);
    let removed = server.post_as(&operator, &path).await;
    assert_eq!(removed.status, 202, "{}", removed.text);
    assert_eq!(server.log_in(&ada.person.email, PASSWORD).await.status, 200);

    let head = server.journal.head().await.unwrap();
    let entries = server.bare(Method::GET, "/v1/users/me/audit?action=second_factor.totp_removed");
    let entries = entries.bearer_auth(ada.person.access()).header("millrace-min-position", head);
    let entry = send(entries).await.json()["entries"][0].clone();
    assert!(entry["actor"].to_string().contains(&operator.key_id.to_string()), "{entry}");
}
