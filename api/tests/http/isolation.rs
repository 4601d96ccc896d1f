use domain::scans::{EngineOutcome, Severity};

use crate::{
    dead_letters::poisoned,
    operations::Operation,
    support::{Server, finding, send, soon, with_json},
};

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

    for operation in Operation::all().into_iter().filter(|operation| operation.needs_key) {
        for id in [&ended, &queued, &letter, &key] {
            let (with_id, path) = (operation.places() > 0, operation.at(&[id]));
            let after = if operation.path.contains("events") { "?after=0" } else { "" };
            let request = server
                .request(operation.method.clone(), &format!("{path}{after}"))
                .header("millrace-min-position", position);
            let request = match &operation.body {
                Some(body) => with_json(request, body),
                None => request,
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
    for operation in Operation::all() {
        let path = operation.path.replace("{id}", "scan_01h455vb4pex5vsknk084sn02q");
        let path = path.replace("{name}", "scans");
        let answer = send(server.bare(operation.method, &path)).await;
        if operation.needs_key {
            assert_eq!(answer.status, 401, "{}", operation.id);
        } else {
            // Those of signing in have got no body, this installation no domain for passkeys, and the
            // client no cookie of a sign-in that has begun.
            let refused = matches!(answer.status.as_u16(), 400 | 409 | 415)
                || (answer.status == 401 && operation.id == "return_from_provider");
            assert!(refused || answer.status == 200, "{}", operation.id);
            open.push(operation.id);
        }
    }
    open.sort();
    let expected = [
        "ask_password_reset",
        "begin_passkey_login",
        "begin_provider_login",
        "change_email",
        "complete_password_reset",
        "get_liveness",
        "get_metrics",
        "get_readiness",
        "get_token_keys",
        "give_second_factor",
        "list_providers",
        "log_in",
        "log_in_by_passkey",
        "log_in_by_provider",
        "refresh_session",
        "report_leaked_keys",
        "return_from_provider",
        "sign_up",
        "verify_email",
    ];
    assert_eq!(open, expected);
}
