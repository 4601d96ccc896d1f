use domain::scans::{
    Cvss, EngineOutcome, Finding, FindingStatus, Location, Package, Severity, Warning,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::Value;
use testkit::odd_text;

use super::{FOR_A_VIEW, against_a_server};
use crate::sarif;

fn location() -> impl Strategy<Value = Location> {
    let line = option::of(select(vec![0, 1, u32::MAX]));
    let file = (odd_text(), line.clone(), line, option::of(odd_text()))
        .prop_map(|(path, line, column, commit)| Location::File { path, line, column, commit });
    let url =
        (odd_text(), option::of(odd_text())).prop_map(|(url, part)| Location::Url { url, part });
    prop_oneof![file, url]
}

fn finding() -> impl Strategy<Value = Finding> {
    let texts =
        (odd_text(), odd_text(), odd_text(), option::of(odd_text()), option::of(odd_text()));
    let lists = (vec(odd_text(), 0..3), vec(odd_text(), 0..3), vec(any::<u32>(), 0..3));
    let score = (0.0..=10.0_f64, odd_text()).prop_map(|(score, vector)| Cvss { score, vector });
    let package =
        (odd_text(), vec(odd_text(), 0..3)).prop_map(|(purl, fixed_in)| Package { purl, fixed_in });
    let forms = (
        select(Severity::ALL.to_vec()),
        option::of(score),
        option::of(package),
        location(),
        any::<bool>(),
        any::<u128>(),
    );
    (texts, lists, forms).prop_map(|(texts, lists, forms)| {
        let (rule_id, title, description, evidence, fix) = texts;
        let (references, aliases, cwe) = lists;
        let (severity, cvss, package, location, open, fingerprint) = forms;
        let status = if open { FindingStatus::Open } else { FindingStatus::Suppressed };
        let fingerprint = format!("{fingerprint:032x}");
        Finding {
            rule_id,
            title,
            description,
            severity,
            cvss,
            cwe,
            location,
            evidence,
            fix,
            references,
            aliases,
            package,
            status,
            fingerprint,
        }
    })
}

fn warning() -> impl Strategy<Value = Warning> {
    odd_text().prop_map(|message| Warning { code: "odd".to_owned(), message, engine: None })
}

/// What SARIF 2.1.0 asks of a log.
fn check_sarif(report: &Value, findings: usize) -> Result<(), TestCaseError> {
    sarif::check(report).map_err(TestCaseError::fail)?;
    let run = &report["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    prop_assert_eq!(results.len(), findings);
    for result in results {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        prop_assert_eq!(&rule["id"], &result["ruleId"]);
    }
    Ok(())
}

#[test]
fn every_report_keeps_its_form_whatever_the_findings_hold() {
    let input = (vec(finding(), 0..=4), vec(warning(), 0..=2));
    against_a_server(60, FOR_A_VIEW, &input, async |server, (findings, warnings)| {
        let count = findings.len();
        let outcome = EngineOutcome::Partial;
        let id = server.completed(&server.owner, findings, outcome, warnings).await;
        let report = |format: &str| format!("/v1/scans/{id}/report?format={format}");
        let sarif = server.fresh(&report("sarif")).await;
        prop_assert_eq!(sarif.status, 200, "{}", sarif.text);
        check_sarif(&sarif.json(), count)?;
        let json = server.get(&report("json")).await.json();
        prop_assert_eq!(json["findings"].as_array().unwrap().len(), count);
        let html = server.get(&report("html")).await.text;
        prop_assert_eq!(html.matches("<article>").count(), count);
        prop_assert!(!html.contains("<script"));
        let csv = server.get(&report("csv")).await;
        prop_assert_eq!(csv.status, 200);
        let listed = server.get(&format!("/v1/scans/{id}/findings?limit=500")).await.json();
        prop_assert_eq!(listed["findings"].as_array().unwrap().len(), count);
        Ok(())
    });
}
