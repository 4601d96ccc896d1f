use api::Options;
use chrono::TimeDelta;
use reqwest::Method;
use serde_json::json;

use super::{PASSWORD, options, server};
use crate::support::{Server, send, with_json};

#[tokio::test]
async fn a_session_goes_on_with_new_tokens() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let refreshed =
        server.ask("/v1/auth/refresh", json!({ "refresh_token": ada.refresh() })).await.json();
    assert_ne!(refreshed["refresh_token"], ada.refresh());
    assert_eq!(refreshed["session_id"], ada.tokens["session_id"]);
    let access = refreshed["access_token"].as_str().unwrap();
    let list = server.fresh_as("/v1/users/me/sessions", access).await;
    let sessions = list["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(
        (&sessions[0]["current"], &sessions[0]["address"]),
        (&json!(true), &json!("127.0.0.1"))
    );
}

#[tokio::test]
async fn an_access_token_lives_as_long_as_the_installation_says() {
    let long = Options { access_token_life: TimeDelta::hours(24), ..options() };
    for (server, seconds) in [(server().await, 900), (Server::with(long).await, 86_400)] {
        let ada = server.person("ada@example.org").await;
        let claims = super::attacks::claims(&ada);
        let lives = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!((seconds - 1..=seconds).contains(&lives), "{claims}");
        let request = server.bare(Method::POST, "/v1/auth/login");
        let login = json!({ "email": ada.email, "password": PASSWORD });
        let answer = send(with_json(request.header("millrace-cookies", "true"), &login)).await;
        let mut cookies = answer.headers.get_all("set-cookie").iter();
        let access = cookies.find(|cookie| cookie.to_str().unwrap().contains("access=")).unwrap();
        let age = format!("Max-Age={seconds}");
        assert!(access.to_str().unwrap().contains(&age), "{access:?}");
    }
}

#[tokio::test]
async fn signing_out_ends_this_session_within_a_second_and_no_other() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let other = server.log_in(&ada.email, PASSWORD).await.json();
    let other = other["access_token"].as_str().unwrap();
    let out = server.as_person(Method::POST, "/v1/auth/logout", ada.access()).await;
    assert_eq!(out.status, 200);
    server.until_refused(ada.access()).await;
    let refresh = json!({ "refresh_token": ada.refresh() });
    assert_eq!(server.ask("/v1/auth/refresh", refresh).await.status, 401);
    assert_eq!(server.as_person(Method::GET, "/v1/users/me", other).await.status, 200);
}

#[tokio::test]
async fn every_session_ends_at_once_when_its_owner_says_so() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let other = server.log_in(&ada.email, PASSWORD).await.json();
    let out = server.as_person(Method::POST, "/v1/auth/logout-everywhere", ada.access()).await;
    assert_eq!(out.status, 200);
    for tokens in [&ada.tokens, &other] {
        server.until_refused(tokens["access_token"].as_str().unwrap()).await;
        let refresh = json!({ "refresh_token": tokens["refresh_token"] });
        assert_eq!(server.ask("/v1/auth/refresh", refresh).await.status, 401);
    }
    assert_eq!(server.log_in(&ada.email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_person_ends_their_own_sessions_and_nobody_elses() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let bob = server.person("bob@example.org").await;
    let path = format!("/v1/users/me/sessions/{}", ada.tokens["session_id"].as_str().unwrap());
    assert_eq!(server.as_person(Method::DELETE, &path, bob.access()).await.status, 404);
    assert_eq!(server.as_person(Method::GET, "/v1/users/me", ada.access()).await.status, 200);
    assert_eq!(server.as_person(Method::DELETE, &path, ada.access()).await.status, 200);
    server.until_refused(ada.access()).await;
}
