use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Millrace, PATIENCE, body};

const PASSWORD: &str = "violet anchor meadow 7";

async fn ask(base: &str, path: &str, token: Option<&str>, input: Value) -> (StatusCode, Value) {
    let mut request = reqwest::Client::new().post(format!("{base}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let request = request.header("content-type", "application/json").body(input.to_string());
    let response = request.send().await.unwrap();
    (response.status(), body(response).await)
}

async fn status(base: &str, path: &str, token: &str) -> StatusCode {
    let request = reqwest::Client::new().get(format!("{base}{path}")).bearer_auth(token);
    request.send().await.unwrap().status()
}

/// Reads what the replicas know of each other until there are so many.
async fn until_replicas(base: &str, key: &str, count: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let request = reqwest::Client::new().get(format!("{base}/v1/admin/overview"));
        let overview = body(request.bearer_auth(key).send().await.unwrap()).await;
        if overview["replicas"] == count {
            return;
        }
        assert!(Instant::now() < deadline, "the replicas do not find each other: {overview}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_suspension_reaches_another_process_in_under_a_second() {
    let (database, nats) = tokio::join!(testkit::database(), testkit::nats());
    let mut millrace = Millrace::new();
    millrace.set("DATABASE_URL", database.url());
    millrace.set("NATS_URL", nats.url());
    millrace.ok(&["migrate"]);
    millrace.start(&["serve", "--roles", "api,projector,relay,outbox"]);
    let (_first, one) = (millrace.beside(), millrace.base.clone());
    millrace.start(&["serve", "--roles", "api"]);
    let other = millrace.base.clone();
    let org = millrace.ok(&["organizations", "create", "--name", "Ops", "--slug", "ops"]);
    let issue = ["keys", "issue", "--organization", org.trim(), "--name", "ops", "--platform"];
    let operator = millrace.ok(&issue).trim().to_owned();

    let account = json!({ "email": "ada@example.org", "password": PASSWORD });
    assert_eq!(ask(&one, "/v1/auth/sign-up", None, account.clone()).await.0, 200);
    let token = millrace.mailed("verify-email").await;
    assert_eq!(ask(&one, "/v1/auth/verify-email", None, json!({ "token": token })).await.0, 200);
    let (_, tokens) = ask(&one, "/v1/auth/login", None, account.clone()).await;
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(status(&other, "/v1/users/me", access).await, 200);
    until_replicas(&one, &operator, 2).await;

    let user = access_owner(&other, access).await;
    let path = format!("/v1/admin/users/{user}/suspend");
    let asked = Instant::now();
    let reason = json!({ "reason": "sends unsolicited mail" });
    let (answered, ended) = ask(&one, &path, Some(&operator), reason).await;
    assert_eq!(answered, 202, "{ended}");
    let took = asked.elapsed();
    assert_eq!((&ended["everywhere"], &ended["replicas"]), (&json!(true), &json!(2)), "{ended}");
    println!("two processes: held after {} ms, answered after {took:?}", ended["after_ms"]);
    assert!(ended["after_ms"].as_u64().unwrap() < 1000, "{ended}");
    // The other process was not asked in between.
    assert_eq!(status(&other, "/v1/users/me", access).await, 401);
    let (refused, problem) = ask(&other, "/v1/auth/login", None, account).await;
    assert_eq!((refused, &problem["code"]), (StatusCode::FORBIDDEN, &json!("account-suspended")));

    assert_eq!(millrace.end("TERM"), Some(0));
}

async fn access_owner(base: &str, access: &str) -> String {
    let request = reqwest::Client::new().get(format!("{base}/v1/users/me")).bearer_auth(access);
    body(request.send().await.unwrap()).await["id"].as_str().unwrap().to_owned()
}
