use reqwest::Method;
use serde_json::json;

use super::{PASSWORD, server};
use crate::support::{send, with_json};

#[tokio::test]
async fn a_person_sees_what_was_done_with_their_account_and_from_where() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    server.person("eve@example.org").await;
    let log = server.audit("/v1/users/me/audit", ada.access()).await;
    let entries = log["entries"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    let expected = [
        "session.started",
        "user.email_verified",
        "user.email_verification_asked",
        "user.signed_up",
    ];
    assert_eq!(actions, expected);
    let (started, signed_up) = (&entries[0], &entries[3]);
    assert_eq!(
        (&started["operation"], &started["address"]),
        (&json!("log_in"), &json!("127.0.0.1"))
    );
    let after = &signed_up["changes"]["after"];
    assert_eq!(
        (&after["email"], &after["name"]),
        (&json!("ada@example.org"), &json!("Ada Lovelace"))
    );
    assert_eq!(after["password_hash"], "[secret]");
    assert!(!log.to_string().contains("eve@"));
}

#[tokio::test]
async fn where_an_erased_person_was_is_readable_to_nobody() {
    let server = server().await;
    let operator = server.operator().await;
    let ada = server.person("ada@example.org").await;
    let path = format!("/v1/admin/audit?organization_id={}", ada.id);
    let before = server.audit(&path, &operator.key).await.to_string();
    assert!(before.contains("127.0.0.1") && before.contains("ada@example.org"), "{before}");
    let request = server.bare(Method::POST, "/v1/users/me/erase").bearer_auth(ada.access());
    let erased = send(with_json(request, &json!({ "password": PASSWORD }))).await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    let after = server.audit(&path, &operator.key).await;
    let entries = after["entries"].as_array().unwrap();
    assert_eq!(entries[0]["action"], "user.erased");
    assert!(entries.iter().all(|entry| entry["address"] == "[erased]"), "{after}");
    for personal in ["127.0.0", "ada@", "ovelace"] {
        assert!(!after.to_string().contains(personal), "{personal} in {after}");
    }
}
