//! Keys that are changed while the installation runs.

use std::fs;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Millrace, body, eventually};

const PASSWORD: &str = "violet anchor meadow 7";
const LIMITS: [&str; 4] = ["ADDRESS", "LOGIN", "SIGN_UP", "USER"];

/// An installation with somebody who has an account.
async fn with_somebody() -> Millrace {
    let mut millrace = Millrace::new();
    for limit in LIMITS {
        millrace.set(&format!("MILLRACE_LIMITS__{limit}"), "100000/60s");
    }
    millrace.up();
    sign_up(&millrace, "ada@example.org").await;
    millrace
}

async fn sign_up(millrace: &Millrace, email: &str) {
    let folder = millrace.folder.path().join("data/mails");
    let body = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
    assert_eq!(millrace.post("/v1/auth/sign-up", &body).await.status(), 200);
    let mut token = None;
    eventually("a mail", || {
        let files = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mails = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        let mails = mails.map(|mail| mail.replace("=\r\n", "").replace("=3D", "="));
        let mut own = mails.filter(|mail| mail.contains(email));
        token = own.find_map(|mail| {
            let (_, rest) = mail.split_once("/verify-email#token=")?;
            Some(rest.split_whitespace().next()?.to_owned())
        });
        token.is_some()
    })
    .await;
    let confirmed = millrace.post("/v1/auth/verify-email", &json!({ "token": token })).await;
    assert_eq!(confirmed.status(), 200);
}

async fn log_in(millrace: &Millrace, email: &str) -> Value {
    let login = json!({ "email": email, "password": PASSWORD });
    let answer = millrace.post("/v1/auth/login", &login).await;
    assert_eq!(answer.status(), 200);
    body(answer).await
}

/// The account as its owner reads it; the view may be a moment behind.
async fn me(millrace: &Millrace, access: &str) -> Value {
    loop {
        let answer = millrace.as_person(Method::GET, "/v1/users/me", access).await;
        if answer.status() != StatusCode::NOT_FOUND {
            assert_eq!(answer.status(), 200);
            return body(answer).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The head of a token, which names its key.
fn head(token: &str) -> &str {
    token.split('.').next().unwrap()
}

#[tokio::test]
async fn the_master_key_is_changed_while_people_go_on() {
    let mut millrace = with_somebody().await;
    let access = log_in(&millrace, "ada@example.org").await;
    let access = text(&access["access_token"]).to_owned();
    let before = millrace.ok(&["vault", "status"]);
    assert_eq!(before.lines().count(), 1, "{before}");

    let going_on = async {
        loop {
            assert_eq!(me(&millrace, &access).await["name"], "Ada");
            log_in(&millrace, "ada@example.org").await;
        }
    };
    let mut rotate = tokio::process::Command::from(millrace.command(&["vault", "rotate"]));
    let rotated = tokio::select! {
        () = going_on => unreachable!("they go on"),
        rotated = rotate.output() => rotated.unwrap(),
    };
    assert!(rotated.status.success(), "{rotated:?}");

    sign_up(&millrace, "bob@example.org").await;
    let between = millrace.ok(&["vault", "status"]);
    let former = between.lines().find(|line| line.contains("former")).unwrap();
    assert!(former.ends_with("wraps 0 keys"), "{between}");
    millrace.ok(&["vault", "forget"]);
    let after = millrace.ok(&["vault", "status"]);
    assert_eq!(after.lines().count(), 1, "{after}");
    assert_ne!(after.split_whitespace().next(), before.split_whitespace().next());
    assert_eq!(me(&millrace, &access).await["name"], "Ada");

    assert_eq!(millrace.end("TERM"), Some(0));
    millrace.up();
    for email in ["ada@example.org", "bob@example.org"] {
        let access = log_in(&millrace, email).await;
        assert_eq!(me(&millrace, text(&access["access_token"])).await["email"], email);
    }
}

#[tokio::test]
async fn the_keys_of_access_tokens_are_changed_and_nobody_is_signed_out() {
    let millrace = with_somebody().await;
    let former = log_in(&millrace, "ada@example.org").await;
    let former_access = text(&former["access_token"]).to_owned();
    let shown =
        async || millrace.json("/.well-known/jwks.json").await["keys"].as_array().unwrap().len();
    assert_eq!(shown().await, 2, "the current one and the next");

    millrace.ok(&["keys", "rotate-signing"]);
    let new = loop {
        assert_eq!(me(&millrace, &former_access).await["name"], "Ada");
        let new = text(&log_in(&millrace, "ada@example.org").await["access_token"]).to_owned();
        if head(&new) != head(&former_access) {
            break new;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(shown().await, 3, "the former one too");
    for access in [&former_access, &new] {
        assert_eq!(me(&millrace, access).await["name"], "Ada");
    }
    let refresh = json!({ "refresh_token": former["refresh_token"] });
    assert_eq!(millrace.post("/v1/auth/refresh", &refresh).await.status(), 200);
}
