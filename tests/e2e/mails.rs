use serde_json::json;

use crate::support::Millrace;

const PASSWORD: &str = "violet anchor meadow 7";

/// Without a mail server: what a person needs is in the folder, and the log names it.
#[tokio::test]
async fn somebody_signs_up_and_finds_the_link_in_the_folder_of_mails() {
    let mut millrace = Millrace::new();
    millrace.up();
    let sign_up = json!({ "email": "ada@example.org", "password": PASSWORD, "name": "Ada" });
    assert_eq!(millrace.post("/v1/auth/sign-up", &sign_up).await.status(), 200);
    let token = millrace.mailed("verify-email").await;
    assert!(millrace.log().contains(&token), "the log does not name the link");
    let confirmed = millrace.post("/v1/auth/verify-email", &json!({ "token": token })).await;
    assert_eq!(confirmed.status(), 200);
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    assert_eq!(millrace.post("/v1/auth/login", &login).await.status(), 200);
    assert!(millrace.ok(&["outbox", "list"]).is_empty());
}
