use std::time::Duration;

use api::limits::{GuessOptions, LimitOptions, Quota};
use reqwest::Method;
use serde_json::json;

use super::{PASSWORD, server_with};
use crate::support::{no_limits, send, with_json};

fn guesses(free: u32, free_of_address: u32, delay_s: u64) -> LimitOptions {
    let delay = Duration::from_secs(delay_s);
    let guesses = GuessOptions { free, free_of_address, delay, max_delay: 10 * delay };
    LimitOptions { guesses, ..no_limits() }
}

#[tokio::test]
async fn guessing_the_password_of_an_account_waits_longer_and_longer_whether_there_is_one_or_not() {
    let server = server_with(guesses(3, 1000, 100)).await;
    let ada = server.person("ada@example.org").await;
    let mut answers = Vec::new();
    for email in [ada.email.as_str(), "nobody@example.org"] {
        for _ in 0..3 {
            assert_eq!(server.log_in(email, "a guess").await.status, 401);
        }
        // The right password waits as well: nobody learns that it is.
        let refused = server.log_in(email, PASSWORD).await;
        assert_eq!(refused.code(), "too-many-requests");
        let wait_s: u64 = refused.header("retry-after").parse().unwrap();
        assert!((95..=100).contains(&wait_s), "{wait_s}");
        answers.push(refused.json()["detail"].clone());
    }
    assert_eq!(answers[0], answers[1]);
    // Others sign in as before.
    server.person("bob@example.org").await;
}

#[tokio::test]
async fn a_right_password_ends_the_delay() {
    let server = server_with(guesses(2, 1000, 1)).await;
    let ada = server.person("ada@example.org").await;
    for _ in 0..2 {
        assert_eq!(server.log_in(&ada.email, "a guess").await.status, 401);
    }
    let in_time = async {
        while server.log_in(&ada.email, PASSWORD).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    crate::support::soon(in_time).await;
    for _ in 0..2 {
        assert_eq!(server.log_in(&ada.email, "a guess").await.status, 401);
    }
}

#[tokio::test]
async fn guessing_at_many_accounts_is_slowed_down_by_address() {
    let server = server_with(guesses(1000, 4, 100)).await;
    for number in 0..4 {
        let email = format!("somebody{number}@example.org");
        assert_eq!(server.log_in(&email, "a guess").await.status, 401);
    }
    let refused = server.log_in("somebody9@example.org", "a guess").await;
    assert_eq!(refused.code(), "too-many-requests");
}

#[tokio::test]
async fn many_guesses_at_once_are_no_more_than_many_in_a_row() {
    let server = server_with(guesses(3, 1000, 100)).await;
    let ada = server.person("ada@example.org").await;
    let guesses = (0..20).map(|n| {
        let (server, email) = (&server, &ada.email);
        async move { server.log_in(email, &format!("guess {n}")).await.status.as_u16() }
    });
    let statuses = futures::future::join_all(guesses).await;
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 3, "{statuses:?}");
}

#[tokio::test]
async fn a_stolen_session_cannot_guess_the_password_either() {
    let server = server_with(guesses(2, 1000, 100)).await;
    let ada = server.person("ada@example.org").await;
    let mut last = String::new();
    for _ in 0..3 {
        let erase = server.bare(Method::POST, "/v1/users/me/erase").bearer_auth(ada.access());
        last = send(with_json(erase, &json!({ "password": "a guess" }))).await.code();
    }
    assert_eq!(last, "too-many-requests");
}

#[tokio::test]
async fn signing_in_and_asking_for_mails_have_limits_of_their_own() {
    let few = Quota::new(2, Duration::from_secs(3600), 2);
    let server = server_with(LimitOptions { login: few, ..no_limits() }).await;
    for _ in 0..2 {
        let answer = server.log_in("ada@example.org", "a guess").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("ratelimit-policy")),
            (401, "\"login\";q=2;w=3600")
        );
    }
    let refused = server.log_in("ada@example.org", "a guess").await;
    assert_eq!(refused.code(), "too-many-requests");
    assert!(refused.header("ratelimit").starts_with("\"login\";r=0;t="), "{refused:?}");
    assert_eq!(server.sign_up("ada@example.org").await.status, 200);

    let server = server_with(LimitOptions { reset: few, sign_up: few, ..no_limits() }).await;
    let ask = || server.ask("/v1/auth/password-reset/ask", json!({ "email": "ada@example.org" }));
    assert_eq!((ask().await.status.as_u16(), ask().await.status.as_u16()), (200, 200));
    assert_eq!(ask().await.code(), "too-many-requests");
    for number in 0..2 {
        assert_eq!(server.sign_up(&format!("ada{number}@example.org")).await.status, 200);
    }
    assert_eq!(server.sign_up("ada9@example.org").await.code(), "too-many-requests");
}

#[tokio::test]
async fn somebody_who_has_signed_in_has_the_limit_of_users() {
    let user = Quota::new(3, Duration::from_secs(3600), 3);
    let server = server_with(LimitOptions { user, ..no_limits() }).await;
    let ada = server.person("ada@example.org").await;
    let bob = server.person("bob@example.org").await;
    for _ in 0..3 {
        let answer = server.as_person(Method::GET, "/v1/users/me", ada.access()).await;
        assert_eq!(answer.header("ratelimit-policy"), "\"user\";q=3;w=3600");
        assert_ne!(answer.status, 429);
    }
    let refused = server.as_person(Method::GET, "/v1/users/me", ada.access()).await;
    assert_eq!(refused.code(), "too-many-requests");
    assert_ne!(server.as_person(Method::GET, "/v1/users/me", bob.access()).await.status, 429);
}
