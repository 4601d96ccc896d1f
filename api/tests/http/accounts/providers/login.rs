use std::time::Duration;

use api::{
    Options,
    limits::{LimitOptions, Quota},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Issuer,
    browser::{Browser, begin, sign_in},
    issuer::now,
    lets_in, login_with, options_of, server_with,
};
use crate::{
    accounts::{PASSWORD, factors::methods},
    support::{Server, no_limits, send},
};

fn ada(issuer: &Issuer) -> Value {
    let now = now();
    json!({
        "iss": issuer.url, "sub": "1017", "iat": now, "exp": now + 300,
        "email": "Ada@example.org", "email_verified": true, "name": "Ada Lovelace",
    })
}

fn with(issuer: &Issuer, name: &str, value: Value) -> Value {
    let mut claims = ada(issuer);
    claims[name] = value;
    claims
}

#[tokio::test]
async fn somebody_signs_in_through_a_provider_and_has_an_account() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    let listed = server.as_guest("/v1/auth/providers").await.json();
    assert_eq!(listed, json!({ "providers": [{ "name": "id" }] }));

    let (browser, arrived) = Browser::let_in(&server, &issuer, ada(&issuer)).await;
    assert_eq!(arrived.status, 200, "{}", arrived.text);
    assert_eq!(server.user("ada@example.org").await, None, "a GET has made an account");
    let challenge = &arrived.json()["challenge"];
    let answer = browser.goes_on(challenge).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let tokens = answer.json();
    assert_eq!(methods(&tokens), json!(["fed"]));
    let access = tokens["access_token"].as_str().unwrap();
    let me = server.fresh_as("/v1/users/me", access).await;
    assert_eq!((&me["email"], &me["name"]), (&json!("ada@example.org"), &json!("Ada Lovelace")));
    assert_eq!(me["email_verified"], true);
    // It works once.
    assert_eq!(browser.goes_on(challenge).await.code(), "unauthenticated");

    // The second time it is the same account, whatever the address is now.
    let again = sign_in(&server, &issuer, with(&issuer, "email", json!("new@example.org"))).await;
    let again =
        server.fresh_as("/v1/users/me", again.json()["access_token"].as_str().unwrap()).await;
    assert_eq!((&again["id"], &again["email"]), (&me["id"], &me["email"]));
    for event in server.journal.read(0, &journal::Filter::default(), 100).await.unwrap() {
        let text = format!("{event:?}");
        for personal in ["1017", "ovelace", "example.org"] {
            assert!(!text.contains(personal), "{personal} is in {text}");
        }
    }
}

#[tokio::test]
async fn what_the_token_does_not_tell_is_asked_of_the_issuer_and_of_nobody_else() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    let mut claims = ada(&issuer);
    claims["email"] = Value::Null;
    let told = json!({ "sub": "1017", "email": "ada@example.org", "email_verified": true });
    for (sub, status) in [("1018", 401), ("1017", 200)] {
        let browser = Browser::begin(&server, None).await;
        let code = issuer.admit(&browser.sent_to, claims.clone());
        let mut told = told.clone();
        told["sub"] = json!(sub);
        issuer.tell(&code, told);
        let answer = browser.comes_back(&code).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 200 {
            assert_eq!(browser.goes_on(&answer.json()["challenge"]).await.status, 200);
        }
    }
    assert!(server.user("ada@example.org").await.is_some());
}

#[tokio::test]
async fn an_answer_is_worth_nothing_in_another_browser_or_to_another_login() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    let mut mine = Browser::begin(&server, None).await;
    let other = Browser::begin(&server, None).await;
    let code = issuer.admit(&mine.sent_to, ada(&issuer));
    let state = mine.state();
    for query in [
        vec![("code", code.as_str())],
        vec![("code", code.as_str()), ("state", "")],
        vec![("code", &code), ("state", &state), ("iss", "https://other.example")],
        vec![("error", "access_denied"), ("state", &state)],
        vec![("state", &state)],
        vec![("code", "made up"), ("state", &state)],
    ] {
        let answer = mine.comes_back_with(&query).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (401, "unauthenticated"),
            "{query:?}"
        );
    }
    // Login CSRF: the victim's browser is sent to the callback of the attacker's login.
    let lured = other.comes_back_with(&[("code", &code), ("state", &state)]).await;
    assert_eq!(lured.status, 401, "{}", lured.text);
    // And with the code put into the victim's own, which the verifier does not fit.
    assert_eq!(other.comes_back(&code).await.status, 401);

    let arrived =
        mine.comes_back_with(&[("code", &code), ("state", &state), ("iss", &issuer.url)]).await;
    let challenge = arrived.json()["challenge"].clone();
    assert_eq!(other.goes_on(&challenge).await.code(), "unauthenticated");
    let cookie = std::mem::take(&mut mine.cookie);
    assert_eq!(mine.goes_on(&challenge).await.code(), "unauthenticated");
    mine.cookie = cookie;
    assert_eq!(mine.goes_on(&json!("made up")).await.code(), "unauthenticated");
    assert_eq!(mine.goes_on(&challenge).await.status, 200);
}

#[tokio::test]
async fn tokens_that_no_good_issuer_gives_let_nobody_in() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    for (name, value) in [
        ("iss", json!("https://other.example")),
        ("aud", json!("other")),
        ("aud", json!(["mill", "other"])),
        ("azp", json!("other")),
        ("nonce", json!("of another login")),
        ("nonce", Value::Null),
        ("exp", json!(now() - 31)),
        ("nbf", json!(now() + 60)),
        ("sub", Value::Null),
    ] {
        let (_, answer) =
            Browser::let_in(&server, &issuer, with(&issuer, name, value.clone())).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (401, "unauthenticated"),
            "{name}: {value}"
        );
    }
}

#[tokio::test]
async fn nobody_is_sent_on_to_a_strange_place() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    for strange in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "https://mill.example.evil.example/",
        "https://mill.example@evil.example/",
        "https://user@mill.example/",
        "http://mill.example/",
        "https://mill.example:8443/",
        "https://app.mill.example:8443/",
        "javascript:alert(1)",
        "data:text/html,x",
        "/x\r\nset-cookie: a=b",
        "/\u{9}/evil.example",
        "ftp://mill.example/",
    ] {
        let answer = begin(&server, json!({ "return_to": strange })).await;
        assert_eq!(answer.code(), "validation-failed", "{strange}: {}", answer.text);
        assert!(!answer.headers.contains_key("set-cookie"), "{strange}");
    }
    for (given, place) in [
        ("/home?x=1#old", "https://mill.example/home?x=1"),
        ("https://app.mill.example/in", "https://app.mill.example/in"),
        ("", "https://mill.example/"),
        ("/a/../../b c", "https://mill.example/b%20c"),
    ] {
        let browser = Browser::begin(&server, Some(given)).await;
        let code = issuer.admit(&browser.sent_to, ada(&issuer));
        let answer = browser.comes_back(&code).await;
        assert_eq!(answer.status, 302, "{}", answer.text);
        let location = answer.headers["location"].to_str().unwrap();
        let (to, fragment) = location.split_once('#').unwrap();
        assert_eq!(to, place);
        let challenge = fragment.strip_prefix("login=").unwrap();
        assert_eq!(browser.goes_on(&json!(challenge)).await.status, 200);

        let refused = browser.comes_back_with(&[("error", "x"), ("state", &browser.state())]).await;
        let location = refused.headers["location"].to_str().unwrap();
        assert_eq!(location, format!("{place}#login_error=unauthenticated"));
    }
}

#[tokio::test]
async fn whoever_has_a_second_factor_is_asked_for_it_unless_the_provider_is_believed() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    let person = server.protected("ada@example.org").await;
    server.link(person.person.id, &issuer.url, "1017").await;
    let claims = with(&issuer, "amr", json!(["pwd", "mfa"]));
    let asked = sign_in(&server, &issuer, claims.clone()).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let tokens =
        server.second(&asked.json(), "recovery_code", person.codes[0].as_str()).await.json();
    assert_eq!(methods(&tokens), json!(["fed", "otp", "mfa"]));

    let mut believed = lets_in(&issuer);
    believed.trusts_second_factor = true;
    let server = server_with(believed).await;
    let person = server.protected("ada@example.org").await;
    server.link(person.person.id, &issuer.url, "1017").await;
    let answer = sign_in(&server, &issuer, claims).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(methods(&answer.json()), json!(["fed", "mfa"]));
    assert_eq!(sign_in(&server, &issuer, ada(&issuer)).await.status, 202);
}

#[tokio::test]
async fn a_suspended_person_and_an_erased_one_do_not_come_in_by_a_provider() {
    let issuer = Issuer::start().await;
    let server = server_with(lets_in(&issuer)).await;
    let tokens = sign_in(&server, &issuer, ada(&issuer)).await.json();
    let former = server.user("ada@example.org").await.unwrap();
    // Without a password, but just signed in.
    let erase = server.bare(Method::POST, "/v1/users/me/erase");
    let erase = erase.bearer_auth(tokens["access_token"].as_str().unwrap());
    let erased = send(crate::support::with_json(erase, &json!({}))).await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    let fields = erased.json()["unreadable"].to_string();
    assert!(fields.contains("user.identity_linked") && fields.contains("subject"), "{fields}");
    // The person at the provider is free again, for another account.
    assert_eq!(sign_in(&server, &issuer, ada(&issuer)).await.status, 200);
    assert_ne!(server.user("ada@example.org").await.unwrap(), former);
    assert_eq!(server.log_in("ada@example.org", PASSWORD).await.status, 401);
}

#[tokio::test]
async fn several_sign_in_from_one_address_and_to_begin_is_no_try() {
    let issuer = Issuer::start().await;
    let server = async |limits| {
        let options = options_of(login_with(lets_in(&issuer)));
        Server::with(Options { limits, ..options }).await
    };
    // As they are where nobody has changed them.
    let unchanged = LimitOptions { invite: no_limits().invite, ..LimitOptions::default() };
    let here = server(unchanged).await;
    for _ in 0..3 {
        let answer = sign_in(&here, &issuer, ada(&issuer)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let few = Quota::new(2, Duration::from_secs(3600), 2);
    let here = server(LimitOptions { login_begin: few, ..no_limits() }).await;
    for _ in 0..2 {
        let answer = begin(&here, json!({})).await;
        assert_eq!(answer.header("ratelimit-policy"), "\"login_begin\";q=2;w=3600");
    }
    assert_eq!(begin(&here, json!({})).await.code(), "too-many-requests");
    assert_eq!(here.log_in("ada@example.org", "a guess").await.code(), "unauthenticated");
}
