use std::fs;

use serde_json::json;

use crate::support::{Millrace, eventually};

const PASSWORD: &str = "violet anchor meadow 7";

/// Without a mail server: what a person needs is in the folder, and the log names it.
#[tokio::test]
async fn somebody_signs_up_and_finds_the_link_in_the_folder_of_mails() {
    let mut millrace = Millrace::new();
    millrace.up();
    let sign_up = json!({ "email": "ada@example.org", "password": PASSWORD, "name": "Ada" });
    assert_eq!(millrace.post("/v1/auth/sign-up", &sign_up).await.status(), 200);
    let folder = millrace.folder.path().join("data/mails");
    let mut mail = String::new();
    eventually("a mail", || {
        let mut files = fs::read_dir(&folder).into_iter().flatten().flatten();
        let file = files.find(|file| file.path().extension().is_some_and(|own| own == "eml"));
        mail = file.map(|file| fs::read_to_string(file.path()).unwrap()).unwrap_or_default();
        !mail.is_empty()
    })
    .await;
    let mail = mail.replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = mail.split_once("/verify-email#token=").unwrap();
    let token = rest.split_whitespace().next().unwrap();
    assert!(millrace.log().contains(token), "the log does not name the link");
    let confirmed = millrace.post("/v1/auth/verify-email", &json!({ "token": token })).await;
    assert_eq!(confirmed.status(), 200);
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    assert_eq!(millrace.post("/v1/auth/login", &login).await.status(), 200);
    assert!(millrace.ok(&["outbox", "list"]).is_empty());
}
