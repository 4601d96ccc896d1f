//! Reading leaves no trace in the log.

use reqwest::Method;
use serde_json::Value;

use crate::{
    operations::Operation,
    support::{Server, send, soon},
};

#[tokio::test]
async fn no_event_is_appended_by_reading_introspecting_or_using_a_key() {
    let server = Server::start().await;
    let operator = server.operator().await;
    let ids = [
        server.queued(&server.owner).await.to_string(),
        server.owner.key_id.to_string(),
        server.owner.org.to_string(),
        "scans".to_owned(),
    ];
    let head = server.journal.head().await.unwrap();
    let reads = Operation::all().into_iter().filter(|operation| operation.method == Method::GET);
    for operation in reads {
        for id in &ids {
            let parts = operation.path.split('/');
            let parts = parts.map(|part| if part.starts_with('{') { id.as_str() } else { part });
            let path = parts.collect::<Vec<_>>().join("/");
            for key in [&server.owner.key, &operator.key, "mr_guessed"] {
                let request = server.bare(Method::GET, &path).bearer_auth(key);
                // Only the head of the answer: some never end.
                let answer = soon(request.send()).await.unwrap();
                assert!(!answer.status().is_server_error(), "{}", operation.id);
            }
            if !operation.path.contains('{') {
                break;
            }
        }
    }
    // That the key was used is noted, beside the log.
    let noted = async {
        loop {
            let path = format!("/v1/keys/{}", server.owner.key_id);
            let answer = server.get(&path).await;
            if answer.json()["last_used_at"] != Value::Null {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    soon(noted).await;
    assert_eq!(send(server.bare(Method::GET, "/health/live")).await.status, 200);
    assert_eq!(server.journal.head().await.unwrap(), head);
}
