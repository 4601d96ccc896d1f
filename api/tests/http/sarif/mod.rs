//! Reports against the published schema of SARIF 2.1.0.

use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use domain::scans::{
    Cvss, Engine, EngineOutcome, Finding, FindingStatus, Location, Package, ScanCommand, Severity,
};
use journal::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::{
    reports::{hostile, warning},
    support::{Server, finding},
};

const SCHEMA: &str = include_str!("sarif-schema-2.1.0.json");

static COMPILED: LazyLock<(Schemas, SchemaIndex)> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let id = schema["id"].as_str().unwrap().to_owned();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    // Times and addresses must be what they are called.
    compiler.enable_format_assertions();
    compiler.add_resource(&id, schema).unwrap();
    let index = compiler.compile(&id, &mut schemas).unwrap();
    (schemas, index)
});

/// What the schema has against a report.
pub fn check(report: &Value) -> Result<(), String> {
    let (schemas, index) = &*COMPILED;
    schemas.validate(report, *index).map_err(|error| format!("{error:#}"))
}

async fn report(server: &Server, id: impl std::fmt::Display) -> Value {
    let answer = server.fresh(&format!("/v1/scans/{id}/report?format=sarif")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// Findings that take every way through the writer.
fn findings() -> Vec<Finding> {
    let with = |number, change: fn(&mut Finding)| {
        let mut finding = finding(number, Severity::ALL[number as usize % 5]);
        finding.rule_id = format!("rule-{number}");
        change(&mut finding);
        finding
    };
    let file = |path: &str, commit: Option<&str>| Location::File {
        path: path.to_owned(),
        line: Some(7),
        column: Some(3),
        commit: commit.map(str::to_owned),
    };
    let url = |url: &str, part: Option<&str>| Location::Url {
        url: url.to_owned(),
        part: part.map(str::to_owned),
    };
    let places = [
        file("src/main.rs", Some("0123456789abcdef0123456789abcdef01234567")),
        file("not \\xff\\xfe text/\u{e9} [x]%.rs", None),
        url("https://example.org/a b?q=<|>^`{}#f[]", Some("header `x`")),
        url("https://user@[::1]:8443/%zz\\", None),
        url("no address: \u{202e}", None),
        url("", None),
        Location::File { path: String::new(), line: None, column: None, commit: None },
    ];
    let mut findings = vec![
        hostile(),
        with(1, |f| f.cvss = Some(Cvss { score: 11.0, vector: "CVSS:4.0/x".to_owned() })),
        with(2, |f| (f.cwe, f.references) = (vec![], vec!["https://example.org/|^ x".to_owned()])),
        with(3, |f| (f.evidence, f.fix, f.references) = (None, None, vec![])),
        with(4, |f| f.status = FindingStatus::Suppressed),
        with(5, |f| (f.title, f.description) = (String::new(), String::new())),
        with(6, |f| f.package = Some(Package { purl: "pkg:npm/x@1".into(), fixed_in: vec![] })),
    ];
    findings.extend((10..).zip(places).map(|(number, location)| {
        let mut finding = with(number, |_| {});
        finding.location = location;
        finding
    }));
    findings
}

#[tokio::test]
async fn a_report_of_every_kind_of_finding_is_what_the_schema_asks_for() {
    let server = Server::start().await;
    let (outcome, all) = (EngineOutcome::Partial, findings());
    let count = all.len();
    let id = server.completed(&server.owner, all, outcome, vec![warning()]).await;
    let report = report(&server, id).await;
    check(&report).unwrap();
    assert_eq!(report["runs"][0]["results"].as_array().unwrap().len(), count);
    assert!(SCHEMA.contains(report["$schema"].as_str().unwrap()), "it names another schema");
}

#[tokio::test]
async fn a_report_is_what_the_schema_asks_for_in_every_state_of_the_scan() {
    let server = Server::start().await;
    let (owner, engine, now) = (&server.owner, Engine::Secrets, SystemClock.now());
    let waiting = server.queued(owner).await;
    let (running, _) = server.running(owner).await;
    let empty = server.completed(owner, vec![], EngineOutcome::Completed, vec![]).await;
    let (failed, fence) = server.running(owner).await;
    let findings = vec![finding(1, Severity::Low)];
    let command = ScanCommand::RecordFindings { fence, engine, batch: 0, findings };
    server.command(owner, failed, command).await;
    let reason = "the disk is full".to_owned();
    let command = ScanCommand::FailAttempt { fence, reason, retry_after: None, now };
    server.command(owner, failed, command).await;
    for id in [waiting, running, empty, failed] {
        check(&report(&server, id).await).unwrap();
    }
}

/// The schema would be of no use if it took everything.
#[tokio::test]
async fn a_report_that_is_broken_in_any_way_is_refused() {
    let server = Server::start().await;
    let outcome = EngineOutcome::Completed;
    let id = server.completed(&server.owner, findings(), outcome, vec![warning()]).await;
    let report = report(&server, id).await;
    check(&report).unwrap();
    for (place, value) in [
        ("/version", json!("2.0.0")),
        ("/runs", json!({})),
        ("/runs/0/columnKind", json!("bytes")),
        ("/runs/0/tool/driver/name", json!(7)),
        ("/runs/0/tool/driver/rules/0/id", json!(null)),
        ("/runs/0/tool/driver/rules/0/helpUri", json!("not an address")),
        ("/runs/0/invocations/0/executionSuccessful", json!("yes")),
        ("/runs/0/invocations/0/startTimeUtc", json!("yesterday")),
        ("/runs/0/results/0/message", json!("a text alone")),
        ("/runs/0/results/0/level", json!("critical")),
        ("/runs/0/results/0/ruleIndex", json!(-2)),
        ("/runs/0/results/0/suppressions/0/kind", json!("because")),
        ("/runs/0/results/0/fingerprint", json!("of no known property")),
        ("/runs/0/results/1/locations/0/physicalLocation/region/startLine", json!(0)),
        ("/runs/0/results/1/locations/0/physicalLocation/artifactLocation/uri", json!("a b|c")),
    ] {
        let mut broken = report.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap()[key] = value;
        assert!(check(&broken).is_err(), "the schema takes any {place}");
    }
}
