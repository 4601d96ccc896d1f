use api::LoginOptions;
use chrono::TimeDelta;
use credentials::oidc::KeyCacheOptions;
use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};

use super::super::{PASSWORD, Person};
use super::{
    Issuer,
    issuer::{now, signed},
    loopback, server_of, server_with, takes_tokens,
};
use crate::support::{Answer, Server, send, with_json};

async fn me(server: &Server, token: &str) -> Answer {
    server.as_person(Method::GET, "/v1/users/me", token).await
}

async fn refused(server: &Server, token: &str, reason: &str) {
    let answer = me(server, token).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unauthenticated"));
    assert!(answer.text.contains(reason), "no `{reason}` in {}", answer.text);
}

#[tokio::test]
async fn a_token_of_an_issuer_is_that_of_the_person_who_is_linked_to_it() {
    let issuer = Issuer::start().await;
    let server = server_with(takes_tokens(&issuer)).await;
    let ada = server.linked("ada@example.org", &issuer, "1017").await;
    let body = json!({ "name": "Mill", "slug": "mill" });
    let made = server.bare(Method::POST, "/v1/organizations").bearer_auth(ada.access());
    assert_eq!(send(with_json(made, &body)).await.status, 202);

    server.fresh_as("/v1/organizations", ada.access()).await;
    let head = server.journal.head().await.unwrap();
    let token = issuer.token("1017");
    assert_eq!(me(&server, &token).await.json()["id"], ada.id.to_string());
    // What needs an organisation is done in the person's own.
    assert_eq!(server.as_person(Method::GET, "/v1/scans", &token).await.status, 200);
    // Our own tokens are taken as before.
    assert_eq!(me(&server, ada.access()).await.json()["id"], ada.id.to_string());
    refused(&server, &issuer.token("1018"), "no account is linked").await;
    let log_out = send(server.bare(Method::POST, "/v1/auth/logout").bearer_auth(&token)).await;
    assert_eq!((log_out.status.as_u16(), log_out.code().as_str()), (409, "conflict"));
    assert_eq!(server.journal.head().await.unwrap(), head, "a read was written down");
    assert_eq!(issuer.asked_for_keys(), 1);
}

#[tokio::test]
async fn forged_and_foreign_tokens_are_refused() {
    let (issuer, other) = tokio::join!(Issuer::start(), Issuer::start());
    other.rotate();
    let server = server_with(takes_tokens(&issuer)).await;
    server.linked("ada@example.org", &issuer, "1017").await;
    let now = now();
    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims("1017");
        claims[name] = value;
        issuer.sign(&claims)
    };
    let header = |alg: &str| json!({ "alg": alg, "kid": "first", "typ": "JWT" });
    let hmac = |secret: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let claims = issuer.claims("1017");
        signed(&header("HS256"), &claims, |m| hmac::sign(&key, m).as_ref().to_vec())
    };
    let none = signed(&header("none"), &issuer.claims("1017"), |_| Vec::new());
    let altered = {
        let (signed, signature) = none.rsplit_once('.').unwrap();
        let good = issuer.token("1018");
        let (_, of_another) = good.rsplit_once('.').unwrap();
        format!("{signed}.{signature}{of_another}")
    };
    for (token, reason) in [
        (none.as_str(), "algorithm"),
        (&hmac(&issuer.public_key()), "algorithm"),
        (&hmac(b""), "algorithm"),
        (&altered, "algorithm"),
        (&other.sign_with(&header("EdDSA"), &issuer.claims("1017")), "signature"),
        // Of an issuer that nobody has configured, and one that calls itself another.
        (&other.token("1017"), "another type"),
        (&other.sign(&issuer.claims("1017")), "key that is not known"),
        (&with("aud", json!("https://other.example")), "another audience"),
        (&with("aud", json!([])), "another audience"),
        (&with("exp", json!(now - 31)), "expired"),
        (&with("nbf", json!(now + 40)), "not valid yet"),
        (&with("iat", json!(now + 40)), "not valid yet"),
        (&with("sub", json!(null)), "lacks a claim"),
        (
            &issuer
                .sign_with(&json!({ "alg": "EdDSA", "typ": "logout+jwt" }), &issuer.claims("1017")),
            "another type",
        ),
        (
            &issuer.sign_with(&json!({ "alg": "EdDSA", "crit": ["x"] }), &issuer.claims("1017")),
            "extension",
        ),
    ] {
        refused(&server, token, reason).await;
    }
    assert_eq!(me(&server, &issuer.token("1017")).await.status, 200);
}

#[tokio::test]
async fn made_up_keys_cause_one_request_and_new_ones_are_found() {
    let issuer = Issuer::start().await;
    let server = server_with(takes_tokens(&issuer)).await;
    server.linked("ada@example.org", &issuer, "1017").await;
    assert_eq!(me(&server, &issuer.token("1017")).await.status, 200);
    for number in 0..20 {
        let header = json!({ "alg": "EdDSA", "kid": format!("made up {number}") });
        let token = issuer.sign_with(&header, &issuer.claims("1017"));
        refused(&server, &token, "key that is not known").await;
    }
    assert_eq!(issuer.asked_for_keys(), 1);

    let keys = KeyCacheOptions { pause: TimeDelta::zero(), ..KeyCacheOptions::default() };
    let providers = vec![takes_tokens(&issuer)];
    let login = LoginOptions { providers, keys, addresses: loopback(), ..LoginOptions::default() };
    let server = server_of(login).await;
    server.linked("ada@example.org", &issuer, "1017").await;
    let former = issuer.token("1017");
    assert_eq!(me(&server, &former).await.status, 200);
    issuer.rotate();
    assert_eq!(me(&server, &issuer.token("1017")).await.status, 200);
    refused(&server, &former, "key that is not known").await;
}

#[tokio::test]
async fn a_token_ends_with_all_sessions_and_cannot_go_around_a_second_factor() {
    let issuer = Issuer::start().await;
    let mut provider = takes_tokens(&issuer);
    provider.trusts_second_factor = true;
    let server = server_with(provider).await;
    let ada = server.linked("ada@example.org", &issuer, "1017").await;
    let former = issuer.token("1017");
    assert_eq!(me(&server, &former).await.status, 200);
    let out = server.bare(Method::POST, "/v1/auth/logout-everywhere").bearer_auth(ada.access());
    assert_eq!(send(out).await.status, 200);
    server.until_refused(&former).await;
    let mut later = issuer.claims("1017");
    later["iat"] = json!(now() + 5);
    assert_eq!(me(&server, &issuer.sign(&later)).await.status, 200);

    let tokens = server.log_in("ada@example.org", PASSWORD).await.json();
    server.protect(Person { tokens, email: ada.email.clone(), ..ada }).await;
    server.until_refused(&issuer.sign(&later)).await;
    refused(&server, &issuer.sign(&later), "has a second factor").await;
    later["amr"] = json!(["pwd", "mfa"]);
    assert_eq!(me(&server, &issuer.sign(&later)).await.status, 200);

    let suspend = format!("/v1/admin/users/{}/suspend", ada.id);
    let request = server.bare(Method::POST, &suspend).bearer_auth(server.operator().await.key);
    let suspended = send(with_json(request, &json!({ "reason": "sends unsolicited mail" }))).await;
    assert_eq!(suspended.status, 202, "{}", suspended.text);
    assert_eq!(me(&server, &issuer.sign(&later)).await.code(), "account-suspended");
}

#[tokio::test]
async fn no_request_goes_where_the_operator_does_not_want_it() {
    let (issuer, other) = tokio::join!(Issuer::start(), Issuer::start());
    // Loopback is not allowed here.
    let providers = vec![takes_tokens(&issuer)];
    let server = server_of(LoginOptions { providers, ..LoginOptions::default() }).await;
    let unavailable = |answer: Answer| {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "unavailable"));
        assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
    };
    unavailable(me(&server, &issuer.token("1017")).await);
    assert_eq!(issuer.asked(), 0);

    let server = server_with(takes_tokens(&issuer)).await;
    for keys in ["https://10.0.0.1/jwks", "http://169.254.169.254/", "file:///etc/passwd"] {
        issuer.say("jwks_uri", json!(keys));
        let server = server_with(takes_tokens(&issuer)).await;
        unavailable(me(&server, &issuer.token("1017")).await);
    }
    issuer.redirect_to(format!("{}/.well-known/openid-configuration", other.url));
    unavailable(me(&server, &issuer.token("1017")).await);
    assert_eq!(other.asked(), 0);
}
