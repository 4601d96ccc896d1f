//! The audit log as its readers meet it.

use domain::scans::EngineOutcome;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, Tenant, send, with_json};

impl Server {
    /// What a reader with a key or a token finds, once everything that is in the log is in the view.
    pub async fn audit(&self, path: &str, token: &str) -> Value {
        let head = self.journal.head().await.unwrap();
        let request = self.bare(Method::GET, path).bearer_auth(token);
        let answer = send(request.header("millrace-min-position", head)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn issue(&self, scopes: &[&str]) -> (Answer, Tenant) {
        let body = json!({ "name": "reader", "scopes": scopes });
        let request = self.request(Method::POST, "/v1/keys").header("user-agent", "probe/7");
        let answer = send(with_json(request.header("x-request-id", "issuing"), &body)).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let receipt = answer.json();
        let text = |name: &str| receipt[name].as_str().unwrap().to_owned();
        let key_id = text("id").parse().unwrap();
        let reader = Tenant { org: self.owner.org, key_id, key: text("secret") };
        self.fresh("/v1/keys").await.json();
        (answer, reader)
    }
}

#[tokio::test]
async fn what_a_key_did_is_in_the_log_of_its_organisation() {
    let server = Server::start().await;
    let other = server.another_tenant().await;
    let (issued, reader) = server.issue(&["audit:read"]).await;
    let path = "/v1/audit?action=organization.api_key_issued&limit=1";
    let log = server.audit(path, &server.owner.key).await;
    let entry = &log["entries"][0];
    assert_eq!(entry["position"], issued.position());
    let actor = json!({ "kind": "api_key", "id": server.owner.key_id.to_string() });
    assert_eq!(entry["actor"], actor);
    assert_eq!(entry["operation"], "issue_api_key");
    assert_eq!(entry["resource"], json!({ "kind": "api_key", "id": reader.key_id.to_string() }));
    assert_eq!(entry["request_id"], "issuing");
    assert_eq!(entry["trace_id"].as_str().unwrap().len(), 32);
    // A key is nobody: where it was used from is kept as the network.
    assert_eq!(
        (&entry["address"], &entry["user_agent"]),
        (&json!("127.0.0.0/24"), &json!("probe/7"))
    );
    let after = &entry["changes"]["after"];
    assert_eq!((&after["name"], &after["secret_hash"]), (&json!("reader"), &json!("[secret]")));

    for filter in ["actor", "resource_id"] {
        let id = if filter == "actor" { &server.owner.key_id } else { &reader.key_id };
        let log = server.audit(&format!("/v1/audit?{filter}={id}"), &reader.key).await;
        assert_eq!(log["entries"], json!([entry]), "{filter}");
        let theirs = server.audit(&format!("/v1/audit?{filter}={id}"), &other.key).await;
        assert_eq!(theirs["entries"], json!([]));
    }
    let moment = entry["at"].as_str().unwrap().replace('+', "%2B");
    let before = server.audit(&format!("/v1/audit?until={moment}"), &reader.key).await;
    assert!(before["entries"].as_array().unwrap().iter().all(|found| found["at"] != entry["at"]));
    let refused = server.get_as(&reader, "/v1/audit?action=scan.flown").await;
    assert_eq!(refused.code(), "invalid-parameter");
    // The feed of events does not say where a command came from.
    let events = server.get("/v1/events?after=0").await.text;
    assert!(!events.contains("127.0.0") && events.contains("issue_api_key"));
}

#[tokio::test]
async fn the_audit_log_is_for_those_who_may_read_it() {
    let server = Server::start().await;
    let (_, reader) = server.issue(&["scans:read"]).await;
    assert_eq!(server.get_as(&reader, "/v1/audit").await.code(), "forbidden");
    assert_eq!(server.get("/v1/admin/audit").await.code(), "platform-only");
    let operator = server.operator().await;
    let all = server.audit("/v1/admin/audit?limit=500", &operator.key).await;
    let organizations = |log: &Value| {
        let entries = log["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["organization_id"].clone()).collect::<Vec<_>>()
    };
    let owner = json!(server.owner.org.to_string());
    assert!(organizations(&all).contains(&owner));
    assert!(organizations(&all).contains(&json!(operator.org.to_string())));
    let path = format!("/v1/admin/audit?organization_id={}", server.owner.org);
    let theirs = server.audit(&path, &operator.key).await;
    assert!(!organizations(&theirs).is_empty());
    assert!(organizations(&theirs).iter().all(|organization| *organization == owner));
}

async fn export(server: &Server, key: &str, body: &Value) -> Answer {
    let request = server.bare(Method::POST, "/v1/audit/exports").bearer_auth(key);
    send(with_json(request, body)).await
}

#[tokio::test]
async fn the_whole_log_is_exported_and_that_is_an_entry_itself() {
    let server = Server::start().await;
    let other = server.another_tenant().await;
    for _ in 0..11 {
        let scans = (0..10)
            .map(|_| server.completed(&server.owner, vec![], EngineOutcome::Completed, vec![]));
        futures::future::join_all(scans).await;
    }
    server.audit("/v1/audit", &server.owner.key).await;
    let all = export(&server, &server.owner.key, &json!({ "format": "ndjson" })).await;
    assert_eq!((all.status.as_u16(), all.header("content-type")), (200, "application/x-ndjson"));
    let entries: Vec<Value> =
        all.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(entries.len() > 500, "{}", entries.len());
    let positions: Vec<_> =
        entries.iter().map(|entry| entry["position"].as_u64().unwrap()).collect();
    assert!(positions.is_sorted_by(|a, b| a > b));
    assert!(!all.text.contains(&other.org.to_string()));

    let log = server.audit("/v1/audit?action=audit.exported", &server.owner.key).await;
    let entry = &log["entries"][0];
    assert_eq!(entry["operation"], "export_audit_entries");
    assert_eq!(entry["actor"]["id"], server.owner.key_id.to_string());
    assert_eq!(entry["changes"]["after"]["personal"], true);
    let refused = export(&server, &server.owner.key, &json!({ "format": "xml" })).await;
    assert_eq!(refused.code(), "invalid-body");
}

#[tokio::test]
async fn an_export_opens_in_a_spreadsheet_and_runs_nothing() {
    let server = Server::start().await;
    let body = json!({ "name": "=cmd()", "scopes": ["audit:read"] });
    let request = server.request(Method::POST, "/v1/keys").header("user-agent", "=1+1");
    let answer = send(with_json(request, &body)).await;
    assert_eq!(answer.status, 202);
    let reader = answer.json()["secret"].as_str().unwrap().to_owned();
    server.audit("/v1/audit", &server.owner.key).await;
    // The key must be known before it can be refused for what it may.
    assert_eq!(server.fresh("/v1/keys").await.status, 200);
    let wanted = json!({ "format": "csv", "action": "organization.api_key_issued" });
    let csv = export(&server, &server.owner.key, &wanted).await;
    assert!(csv.header("content-disposition").ends_with(".csv\""));
    let mut rows = csv.text.split("\r\n");
    assert!(rows.next().unwrap().starts_with("\"position\",\"id\",\"at\""));
    let row = rows.next().unwrap();
    assert!(row.contains("\"'=1+1\"") && row.contains("\"\"name\"\":\"\"=cmd()\"\""), "{row}");
    // Whoever may read may not take all of it out.
    assert_eq!(export(&server, &reader, &wanted).await.code(), "forbidden");
}

#[tokio::test]
async fn collectors_are_named_changed_and_removed_and_their_token_is_never_shown() {
    let server = Server::start().await;
    let other = server.another_tenant().await;
    let body = |url: &str, token: Value| json!({ "url": url, "format": "splunk", "token": token });
    for (url, token) in [
        ("http://collector.example.org/", json!("x")),
        ("https://me:pass@collector.example.org/", json!("x")),
        ("collector", json!("x")),
        ("https://collector.example.org/", json!("a\nb")),
    ] {
        let answer = server.post("/v1/audit/sinks", &body(url, token)).await;
        assert_eq!(answer.code(), "validation-failed", "{url}");
    }
    let url = "https://collector.example.org/services/collector/event";
    let added = server.post("/v1/audit/sinks", &body(url, json!("Splunk s3cr3t"))).await;
    assert_eq!(added.status, 202, "{}", added.text);
    let path = added.header("location").to_owned();
    let sink = server.fresh(&path).await;
    assert_eq!((&sink.json()["url"], &sink.json()["has_token"]), (&json!(url), &json!(true)));
    assert_eq!((&sink.json()["failed_tries"], &sink.json()["entries"]), (&json!(0), &json!(0)));
    let change = |url: &str| {
        let body = json!({ "url": url, "format": "ndjson" });
        send(with_json(server.request(Method::PUT, &path), &body))
    };
    assert_eq!(change(url).await.status, 202);
    assert_eq!(server.fresh(&path).await.json()["has_token"], true);
    // Elsewhere the token is not sent.
    assert_eq!(change("https://elsewhere.example.org/").await.status, 202);
    let sinks = server.fresh("/v1/audit/sinks").await;
    assert_eq!(sinks.json()["sinks"][0]["has_token"], false);
    let log = server.audit("/v1/audit?action=audit.sink_set", &server.owner.key).await;
    let events = server.get("/v1/events?after=0").await.text;
    for text in [log.to_string(), events, sinks.text.clone()] {
        assert!(!text.contains("s3cr3t") && !text.contains("sealed1."), "{text}");
    }
    assert_eq!(server.get_as(&other, &path).await.status, 404);
    let removed = server.bare(Method::DELETE, &path).bearer_auth(&other.key);
    assert_eq!(send(removed).await.status, 404);
    assert_eq!(send(server.request(Method::DELETE, &path)).await.status, 202);
    assert_eq!(server.fresh(&path).await.status, 404);
}
