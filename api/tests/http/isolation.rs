use domain::scans::{EngineOutcome, Severity};
use reqwest::Method;
use serde_json::Value;

use crate::{
    dead_letters::poisoned,
    support::{Server, finding, send, soon, website, with_json},
};

/// An operation of the document.
pub struct Operation {
    pub id: String,
    pub method: Method,
    pub path: String,
    pub needs_key: bool,
    /// A key of the platform.
    pub needs_platform: bool,
    /// An access token of a person, who has no organisation.
    pub needs_session: bool,
}

pub fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&api::openapi().0).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push(Operation {
                id: operation["operationId"].as_str().expect("an operation without id").to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                needs_key: operation["security"].is_array(),
                needs_platform: operation["security"][0]["platform_bearer"].is_array(),
                needs_session: operation["security"][0]["session"].is_array(),
            });
        }
    }
    operations
}

/// The first bytes of an answer, since some never end.
async fn beginning(response: reqwest::Response) -> String {
    use futures::StreamExt;
    let mut text = String::new();
    let mut body = response.bytes_stream();
    let reading = async {
        while let Some(Ok(bytes)) = body.next().await {
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    let _ = tokio::time::timeout(std::time::Duration::from_millis(500), reading).await;
    text
}

/// New operations are covered by being in the document.
#[tokio::test]
async fn no_cross_organisation_read() {
    let server = Server::start().await;
    let other = server.another_tenant().await;
    let findings = vec![finding(1, Severity::High)];
    let done = EngineOutcome::Completed;
    let ended = server.completed(&other, findings, done, vec![]).await.to_string();
    let queued = server.queued(&other).await.to_string();
    let (_, poison) = poisoned(&server, &other).await;
    let letter = format!("scans-{poison}");
    let key = other.key_id.to_string();
    let position = server.journal.head().await.unwrap();

    for operation in operations().into_iter().filter(|operation| operation.needs_key) {
        for id in [&ended, &queued, &letter, &key] {
            let with_id = operation.path.contains('{');
            let path = operation
                .path
                .split('/')
                .map(|part| if part.starts_with('{') { id.as_str() } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            let after = if operation.path.contains("events") { "?after=0" } else { "" };
            let request = server
                .request(operation.method.clone(), &format!("{path}{after}"))
                .header("millrace-min-position", position);
            let request = match operation.method {
                Method::POST | Method::PUT => with_json(request, &website()),
                _ => request,
            };
            let response = soon(request.send()).await.unwrap();
            if operation.needs_platform {
                // It is refused whatever there is: nothing is to be learnt from the answer.
                assert_eq!(response.status(), 403, "{} with a tenant's key", operation.id);
            } else if operation.needs_session {
                assert_eq!(response.status(), 401, "{} with a tenant's key", operation.id);
            } else if with_id {
                assert_eq!(response.status(), 404, "{} of another's {id}", operation.id);
            }
            let text = beginning(response).await;
            if !with_id {
                assert!(!text.contains(id), "{} shows another's {id}", operation.id);
            }
            assert!(!text.contains(&other.org.to_string()), "{}: {text}", operation.id);
        }
    }
    let path = format!("/v1/scans/{queued}");
    let letters = server.get_as(&other, &format!("/v1/dead-letters/{letter}")).await;
    assert_eq!(letters.status, 200, "{}", letters.text);
    let theirs = server.get_as(&other, &path).await;
    assert_eq!((theirs.status.as_u16(), theirs.json()["state"].as_str()), (200, Some("queued")));
}

#[tokio::test]
async fn every_operation_but_those_of_health_and_of_signing_in_needs_a_key() {
    let server = Server::start().await;
    let mut open = Vec::new();
    for operation in operations() {
        let path = operation.path.replace("{id}", "scan_01h455vb4pex5vsknk084sn02q");
        let path = path.replace("{name}", "scans");
        let answer = send(server.bare(operation.method, &path)).await;
        if operation.needs_key {
            assert_eq!(answer.status, 401, "{}", operation.id);
        } else {
            // Those of signing in have got no body, and this installation no domain for passkeys.
            assert!(matches!(answer.status.as_u16(), 200 | 400 | 409 | 415), "{}", operation.id);
            open.push(operation.id);
        }
    }
    open.sort();
    let expected = [
        "ask_password_reset",
        "begin_passkey_login",
        "change_email",
        "complete_password_reset",
        "get_liveness",
        "get_metrics",
        "get_readiness",
        "get_token_keys",
        "give_second_factor",
        "log_in",
        "log_in_by_passkey",
        "refresh_session",
        "sign_up",
        "verify_email",
    ];
    assert_eq!(open, expected);
}
