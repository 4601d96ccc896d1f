use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use super::{PASSWORD, Person, server};
use crate::support::Server;

#[tokio::test]
async fn a_stolen_refresh_token_ends_the_session_of_thief_and_owner() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let refresh = |token: &Value| {
        let body = json!({ "refresh_token": token });
        server.ask("/v1/auth/refresh", body)
    };
    let stolen = &ada.tokens["refresh_token"];
    let owner = refresh(stolen).await.json();
    assert_eq!(refresh(stolen).await.status, 401);
    assert_eq!(refresh(&owner["refresh_token"]).await.status, 401);
    server.until_refused(owner["access_token"].as_str().unwrap()).await;
    server.until_refused(ada.access()).await;
}

async fn refused(server: &Server, token: &str) {
    let answer = server.as_person(Method::GET, "/v1/users/me", token).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (401, "unauthenticated"),
        "{token}"
    );
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

pub fn claims(ada: &Person) -> Value {
    let claims = ada.access().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn tokens_that_this_installation_did_not_sign_are_refused() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let parts: Vec<_> = ada.access().split('.').collect();
    let header = |alg: &str| part(&json!({ "alg": alg, "typ": "at+jwt", "kid": "x" }));
    let claims = claims(&ada);
    let mut raised = claims.clone();
    raised["roles"] = json!(["owner"]);
    let forged = [
        format!("{}.{}.", header("none"), parts[1]),
        format!("{}.{}.{}", header("HS256"), parts[1], parts[2]),
        format!("{}.{}.{}", header("EdDSA"), parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], part(&raised), parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        String::from("mr_x"),
    ];
    for token in &forged {
        refused(&server, token).await;
    }
    // The one of another installation, with the same names.
    let other = super::server_of(2).await;
    let stranger = other.person("ada@example.org").await;
    refused(&server, stranger.access()).await;
    assert_eq!(server.as_person(Method::GET, "/v1/users/me", ada.access()).await.status, 200);
}

/// Signed by the installation's own key: only what they say is wrong.
#[tokio::test]
async fn tokens_of_another_time_issuer_audience_or_person_are_refused() {
    use credentials::access::{AccessClaims, SigningKeys};
    let server = server().await;
    let (ada, bob) =
        (server.person("ada@example.org").await, server.person("bob@example.org").await);
    let stored = server.journal.stored_secret("access token signing keys", || unreachable!());
    let keys = SigningKeys::from_secret_bytes(&stored.await.unwrap()).unwrap();
    let good: AccessClaims = serde_json::from_value(claims(&ada)).unwrap();
    let signed = |change: &dyn Fn(&mut AccessClaims)| {
        let mut claims = good.clone();
        change(&mut claims);
        keys.sign(&claims)
    };
    let unchanged = signed(&|_| {});
    assert_eq!(server.as_person(Method::GET, "/v1/users/me", &unchanged).await.status, 200);
    let bad: [&dyn Fn(&mut AccessClaims); 8] = [
        &|claims| claims.exp = claims.iat - 10,
        &|claims| claims.nbf = claims.iat + 60,
        &|claims| claims.iat += 60,
        &|claims| claims.iss = "https://evil.example".to_owned(),
        &|claims| claims.aud = "https://evil.example/v1".to_owned(),
        // Her session is not his.
        &|claims| claims.sub = bob.id.to_string(),
        &|claims| claims.sid = "session_01h455vb4pex5vsknk084sn02q".to_owned(),
        &|claims| claims.sub = "../../admin".to_owned(),
    ];
    for change in bad {
        refused(&server, &signed(change)).await;
    }
}

#[tokio::test]
async fn the_keys_of_access_tokens_are_public_and_nothing_else_of_them() {
    let server = server().await;
    let keys = server.get("/.well-known/jwks.json").await.json();
    for key in keys["keys"].as_array().unwrap() {
        assert_eq!((&key["kty"], &key["crv"]), (&json!("OKP"), &json!("Ed25519")));
        assert!(key.get("d").is_none());
    }
}

#[tokio::test]
async fn a_guessed_link_is_refused_and_changes_nothing() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let bob = server.person("bob@example.org").await;
    for person in [&ada, &bob] {
        let body = json!({ "email": person.email });
        assert_eq!(server.ask("/v1/auth/password-reset/ask", body).await.status, 200);
    }
    let [_, of_bob] = server.links(bob.id).await;
    let of_bob = of_bob.unwrap();
    let (_, secret) = of_bob.split_once('.').unwrap();
    let guesses = [
        format!("{}.{}", ada.id, "A".repeat(43)),
        format!("{}.{secret}", ada.id),
        format!("{}.", ada.id),
        secret.to_owned(),
        String::new(),
    ];
    for token in guesses {
        let body = json!({ "token": token, "password": "copper lantern harbour 3" });
        let answer = server.ask("/v1/auth/password-reset/complete", body).await;
        assert_eq!(answer.code(), "validation-failed", "{token}");
    }
    assert_eq!(server.log_in(&ada.email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn nobody_learns_whether_an_address_has_an_account() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let asks = [
        ("/v1/auth/sign-up", json!({ "password": PASSWORD })),
        ("/v1/auth/password-reset/ask", json!({})),
    ];
    for (path, mut body) in asks {
        let mut ask = async |email: &str| {
            let started = tokio::time::Instant::now();
            body["email"] = email.into();
            let answer = server.ask(path, body.clone()).await;
            (answer.status, answer.text, started.elapsed())
        };
        let (known, unknown) = (ask(&ada.email).await, ask("nobody@example.org").await);
        assert_eq!((known.0, known.1), (unknown.0, unknown.1), "{path}");
        // Both take at least the time that hides the difference.
        let hidden = std::time::Duration::from_millis(300);
        assert!(known.2 >= hidden && unknown.2 >= hidden, "{:?} {:?}", known.2, unknown.2);
    }
    let wrong = server.log_in(&ada.email, "wrong").await.json()["detail"].clone();
    let absent = server.log_in("nobody2@example.org", "wrong").await.json()["detail"].clone();
    assert_eq!(wrong, absent);
}
