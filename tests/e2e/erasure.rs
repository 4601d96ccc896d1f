use std::{fs, path::Path};

use reqwest::header::USER_AGENT;
use serde_json::{Value, json};

use crate::support::{Millrace, body};

const PASSWORD: &str = "violet anchor meadow 7";
/// Nothing else contains it.
const MARKER: &str = "Zweiundvierzigstein";

/// Files below a folder that hold a text, in whatever case.
fn holding(folder: &Path, wanted: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, wanted, found);
        } else if let Ok(bytes) = fs::read(&path) {
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            if text.contains(&wanted.to_lowercase()) {
                found.push(path.display().to_string());
            }
        }
    }
}

/// Everything that an installation keeps: the log and its write-ahead log, views, snapshots and the
/// stream's files, the object store, and what the process itself logged.
#[tokio::test]
async fn what_is_personal_is_nowhere_in_the_clear_before_and_after_an_erasure() {
    let mut millrace = Millrace::new();
    millrace.set("MILLRACE_LOG__LEVEL", "debug");
    millrace.up();
    let http = reqwest::Client::new();
    let email = format!("{MARKER}@example.org");
    let ask = async |path: &str, access: Option<&str>, input: Value| {
        let url = format!("{}{path}", millrace.base);
        let mut request = http.post(url).header(USER_AGENT, format!("browser of {MARKER}"));
        if let Some(access) = access {
            request = request.bearer_auth(access);
        }
        let request = request.header("content-type", "application/json").body(input.to_string());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}: {}", body(response).await);
        body(response).await
    };
    let name = format!("Ada {MARKER}");
    let input = json!({ "email": email, "password": PASSWORD, "name": name });
    ask("/v1/auth/sign-up", None, input).await;
    let token = millrace.mailed("verify-email").await;
    ask("/v1/auth/verify-email", None, json!({ "token": token })).await;
    let login = json!({ "email": email, "password": PASSWORD });
    let tokens = ask("/v1/auth/login", None, login).await;
    let access = tokens["access_token"].as_str();
    let id = tokens["session_id"].clone();
    let new = json!({ "password": PASSWORD, "email": format!("new.{MARKER}@example.org") });
    ask("/v1/users/me/email", access, new).await;
    let confirm = json!({ "password": PASSWORD });
    let certificate = ask("/v1/users/me/erase", access, confirm).await;
    assert_eq!(certificate["key_destroyed"], true);
    let fields = certificate["unreadable"].as_array().unwrap();
    for (event_type, field) in [
        ("user.signed_up", "email"),
        ("user.signed_up", "name"),
        ("user.signed_up", "password_hash"),
        ("user.email_change_asked", "email"),
        ("session.started", "client"),
        ("session.started", "address"),
    ] {
        let named = fields.iter().any(|one| {
            one["event_type"] == event_type && one["field"] == field && one["values"] == 1
        });
        assert!(named, "{event_type} {field} of {id}: {certificate}");
    }
    assert_eq!(millrace.end("TERM"), Some(0));
    assert!(!millrace.log().to_lowercase().contains(&MARKER.to_lowercase()));
    // What stands in the clear is found: in the log, its copy on the stream, and the mails.
    let (folder, mut known) = (millrace.folder.path(), Vec::new());
    holding(folder, "user.signed_up", &mut known);
    assert!(known.len() > 1, "{known:?}");
    let mut mailed = Vec::new();
    holding(folder, MARKER, &mut mailed);
    assert!(mailed.iter().any(|file| file.contains("/mails/")), "{mailed:?}");
    // The mails themselves were sent, and lie where a mailbox would be.
    fs::remove_dir_all(folder.join("data/mails")).unwrap();
    let mut found = Vec::new();
    holding(folder, MARKER, &mut found);
    assert_eq!(found, Vec::<String>::new());
}
