use std::collections::BTreeSet;

use serde_json::Value;

use crate::{operations::Operation, support::Server};

#[test]
fn the_document_is_the_same_each_time_and_names_every_operation() {
    let (json, yaml) = api::openapi();
    assert_eq!((&json, &yaml), (&api::openapi().0, &api::openapi().1));
    let ids: BTreeSet<_> = Operation::all().into_iter().map(|operation| operation.id).collect();
    for id in [
        "request_scan",
        "list_scans",
        "get_scan",
        "list_findings",
        "get_scan_report",
        "follow_scan_logs",
        "cancel_scan",
        "delete_scan",
        "list_events",
        "stream_events",
        "follow_events",
        "issue_api_key",
        "list_api_keys",
        "get_api_key",
        "rotate_api_key",
        "revoke_api_key",
        "add_policy",
        "list_policies",
        "get_policy",
        "change_policy",
        "remove_policy",
        "list_dead_letters",
        "get_dead_letter",
        "replay_dead_letter",
        "discard_dead_letter",
        "list_projections",
        "get_projection",
        "rebuild_projection",
        "switch_projection",
        "rollback_projection",
        "cancel_projection_rebuild",
        "drop_projection_standby",
        "get_liveness",
        "get_readiness",
        "get_metrics",
        "request_scan_alias",
        "get_scan_alias",
        "list_findings_alias",
        "list_scans_alias",
        "delete_scan_alias",
    ] {
        assert!(ids.contains(id), "{id} is not in the document");
    }
    let document: Value = serde_json::from_str(&json).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            if operation["security"].is_array() {
                let problem = &operation["responses"]["default"]["content"];
                assert!(problem["application/problem+json"].is_object(), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn the_document_and_its_browser_are_served() {
    let server = Server::start().await;
    assert_eq!(server.get("/openapi.json").await.text, api::openapi().0);
    assert_eq!(server.get("/openapi.yaml").await.text, api::openapi().1);
    let browser = server.get("/docs").await;
    assert!(browser.header("content-security-policy").contains("script-src 'sha256-"));
    let problems = server.get("/docs/problems").await;
    assert!(problems.text.contains("id=\"stale-read\""));
}
