use serde_json::json;

use super::{PASSWORD, server};

const NEW: &str = "copper lantern harbour 3";

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_and_every_session_ends() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let ask = server.ask("/v1/auth/password-reset/ask", json!({ "email": ada.email })).await;
    assert_eq!(ask.status, 200, "{}", ask.text);
    let [_, reset] = server.links(ada.id).await;
    let complete = |password: &str| {
        let body = json!({ "token": reset, "password": password });
        server.ask("/v1/auth/password-reset/complete", body)
    };
    assert_eq!(complete("password").await.code(), "validation-failed");
    assert_eq!(complete(NEW).await.status, 200);
    assert_eq!(complete(NEW).await.code(), "validation-failed");

    server.until_refused(ada.access()).await;
    assert_eq!(server.log_in(&ada.email, PASSWORD).await.status, 401);
    assert_eq!(server.log_in(&ada.email, NEW).await.status, 200);
}

#[tokio::test]
async fn a_weak_password_is_refused_before_there_is_an_account() {
    let server = server().await;
    let body = json!({ "email": "ada@example.org", "password": "password1" });
    assert_eq!(server.ask("/v1/auth/sign-up", body).await.code(), "validation-failed");
    assert!(server.user("ada@example.org").await.is_none());
}
