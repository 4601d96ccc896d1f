use domain::scans::{
    Cvss, Engine, EngineOutcome, Finding, FindingStatus, Location, Package, Severity, Warning,
};
use serde_json::Value;

use crate::support::{Server, finding};

const HOSTILE: &str = "</style><script>alert(1)</script>\u{202e}\"'&, =cmd\r\n\t\u{0}x";

pub fn hostile() -> Finding {
    Finding {
        rule_id: "a b/<c>\"".to_owned(),
        title: format!("=1+1{HOSTILE}"),
        description: format!("@{HOSTILE}"),
        severity: Severity::Critical,
        cvss: Some(Cvss { score: 9.8, vector: "CVSS:3.1/AV:N".to_owned() }),
        cwe: vec![79],
        location: Location::File {
            path: "a b/../#x?\u{e9}:".to_owned(),
            line: Some(0),
            column: Some(0),
            commit: None,
        },
        evidence: Some(HOSTILE.to_owned()),
        fix: Some(HOSTILE.to_owned()),
        references: vec!["javascript:alert(1)".to_owned(), "https://example.org/\"".to_owned()],
        aliases: vec!["CVE-2026-1".to_owned()],
        package: Some(Package { purl: "pkg:npm/x@1".to_owned(), fixed_in: vec!["2".to_owned()] }),
        status: FindingStatus::Suppressed,
        fingerprint: "f".repeat(32),
    }
}

pub fn warning() -> Warning {
    Warning {
        code: "file-too-large".to_owned(),
        message: HOSTILE.replace('\u{0}', ""),
        engine: Some(Engine::Secrets),
    }
}

async fn reported(server: &Server, format: &str) -> String {
    let findings = vec![hostile(), finding(1, Severity::Medium)];
    let outcome = EngineOutcome::Partial;
    let id = server.completed(&server.owner, findings, outcome, vec![warning()]).await;
    let answer = server.fresh(&format!("/v1/scans/{id}/report?format={format}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let disposition = answer.header("content-disposition");
    assert!(disposition.ends_with(&format!("; filename=\"{id}.{format}\"")), "{disposition}");
    if format == "html" {
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    }
    answer.text
}

#[tokio::test]
async fn the_page_is_text_whatever_the_findings_hold() {
    let server = Server::start().await;
    let page = reported(&server, "html").await;
    assert!(!page.contains("<script"), "{page}");
    assert!(!page.contains('\u{202e}'));
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(!page.contains("href=\"javascript"));
    assert!(page.contains("rel=\"noopener noreferrer nofollow\""));
    let verdict = page.find("The scan ended incomplete").unwrap();
    let caveat = page.find("weaknesses may have been missed").unwrap();
    let first_finding = page.find("<article>").unwrap();
    assert!(verdict < caveat && caveat < first_finding);
}

#[tokio::test]
async fn the_table_holds_no_formula_and_every_row_has_all_columns() {
    let server = Server::start().await;
    let table = reported(&server, "csv").await;
    let rows = parse_csv(&table);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{rows:?}");
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
    }
    let records: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(records, ["record", "caveat", "caveat", "verdict", "finding", "finding"]);
    assert_eq!(rows[4][6], format!("'=1+1{}", HOSTILE.replace('\u{0}', "\u{fffd}")));
}

/// RFC 4180 with every cell quoted.
fn parse_csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (vec![], vec![], String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quoted, c) {
            (true, '"') if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            (_, '"') => quoted = !quoted,
            (false, ',') => row.push(std::mem::take(&mut cell)),
            (false, '\r') if chars.peek() == Some(&'\n') => {
                chars.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (_, c) => cell.push(c),
        }
    }
    assert!(row.is_empty() && cell.is_empty(), "the table ends within a row");
    rows
}

#[tokio::test]
async fn the_sarif_report_names_its_rules_places_and_suppressions() {
    let server = Server::start().await;
    let report: Value = serde_json::from_str(&reported(&server, "sarif").await).unwrap();
    assert_eq!(report["version"], "2.1.0");
    let run = &report["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2);
    for result in run["results"].as_array().unwrap() {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["properties"]["security-severity"].is_string());
    }
    let worst = &run["results"][0];
    assert_eq!(worst["level"], "error");
    assert_eq!(worst["suppressions"][0]["kind"], "inSource");
    assert_eq!(worst["partialFingerprints"]["millrace/v1"], "f".repeat(32));
    let place = &worst["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b/../%23x%3F%C3%A9%3A");
    assert!(place["region"].is_null(), "there is no line 0");
    let other = &run["results"][1]["locations"][0]["physicalLocation"];
    assert_eq!(other["region"]["startLine"], 2);
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["toolExecutionNotifications"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_scan_that_saw_nothing_never_looks_clean() {
    let server = Server::start().await;
    let waiting = server.queued(&server.owner).await;
    let (running, _) = server.running(&server.owner).await;
    let done = EngineOutcome::Completed;
    let clean = server.completed(&server.owner, vec![], done, vec![]).await;
    for (id, conclusive) in [(waiting, false), (running, false), (clean, true)] {
        let report = |format: &str| format!("/v1/scans/{id}/report?format={format}");
        let json = server.fresh(&report("json")).await.json();
        assert_eq!(json["conclusive"], conclusive);
        assert_eq!(json["caveats"].as_array().unwrap().is_empty(), conclusive);
        assert_eq!(json["findings"].as_array().unwrap().len(), 0);
        let sarif = server.fresh(&report("sarif")).await.json();
        assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], conclusive);
        let csv = server.fresh(&report("csv")).await.text;
        assert_eq!(csv.contains("\"caveat\""), !conclusive);
        let html = server.fresh(&report("html")).await.text;
        assert_eq!(html.contains("class=\"inconclusive\""), !conclusive);
    }
}

#[tokio::test]
async fn a_report_of_many_findings_has_all_of_them_in_every_form() {
    let server = Server::start().await;
    let findings: Vec<_> = (0..2345).map(|n| finding(n, Severity::ALL[n as usize % 5])).collect();
    let done = EngineOutcome::Completed;
    let id = server.completed(&server.owner, findings, done, vec![]).await;
    let path = format!("/v1/scans/{id}/report");
    assert_eq!(server.fresh(&path).await.json()["findings"].as_array().unwrap().len(), 2345);
    let sarif = server.get(&format!("{path}?format=sarif")).await.json();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 2345);
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap().len(), 7);
    let csv = server.get(&format!("{path}?format=csv")).await.text;
    assert_eq!(parse_csv(&csv).len(), 2347);
    let html = server.get(&format!("{path}?format=html")).await.text;
    assert_eq!(html.matches("<article>").count(), 2345);
}
