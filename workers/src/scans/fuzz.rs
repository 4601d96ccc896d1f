//! Lines of an engine that has gone mad: refused, or bounded and recorded.

use domain::scans::{Engine, Finding};
use engines::Message;
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::{cases, misshapen, mutated};

use super::{bound, warnings::Warnings};
use crate::hidden::is_hidden;

fn samples() -> Vec<Value> {
    let finding = json!({
        "rule_id": "secrets.a", "title": "t", "description": "d", "severity": "high",
        "cvss": { "score": 9.8, "vector": "CVSS:3.1/AV:N" }, "cwe": [798],
        "location": { "kind": "file", "path": "src/a.rs", "line": 1, "column": 2, "commit": "abc" },
        "evidence": "e", "fix": "f", "references": ["https://example.org"], "aliases": ["CVE-1"],
        "package": { "purl": "pkg:cargo/a@1", "fixed_in": ["2"] }, "status": "open",
        "fingerprint": "0123456789abcdef0123456789abcdef",
    });
    let warning = json!({ "code": "odd", "message": "m", "engine": "secrets" });
    vec![
        json!({ "type": "finding", "finding": finding }),
        json!({ "type": "warning", "warning": warning }),
        json!({ "type": "progress", "text": "half" }),
        json!({ "type": "done", "outcome": "completed", "summary": "all" }),
    ]
}

/// A line that is taken comes out small, visible and readable again.
fn take(line: &[u8]) -> Result<(), TestCaseError> {
    match serde_json::from_slice(line) {
        Ok(Message::Finding { finding }) => {
            let Ok(finding) = bound::finding(*finding) else { return Ok(()) };
            let written = serde_json::to_string(&finding).unwrap();
            prop_assert!(written.len() < journal::MAX_EVENT_BYTES / 2, "{} bytes", written.len());
            let text: Finding = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(&text, &finding);
            prop_assert!(!text.title.chars().any(is_hidden));
        }
        Ok(Message::Warning { warning }) => {
            let mut warnings = Warnings::new(Engine::Secrets);
            warnings.add(warning);
            let shown = &warnings.into_list()[0];
            prop_assert!(shown.message.chars().count() <= 1000);
            prop_assert!(!shown.message.chars().any(is_hidden));
        }
        Ok(Message::Progress { text } | Message::Done { summary: text, .. }) => {
            prop_assert!(bound::line(&text, 10).chars().count() <= 10);
        }
        Err(_) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn lines_of_a_wrong_shape_are_refused_or_bounded(value in misshapen(samples())) {
        take(value.to_string().as_bytes())?;
    }

    #[test]
    fn damaged_lines_are_refused_or_bounded(
        line in mutated(samples().iter().map(|value| value.to_string().into_bytes()).collect()),
    ) {
        take(&line)?;
    }
}
