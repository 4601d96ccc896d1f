use std::collections::BTreeMap;

use domain::scans::{Engine, Finding, FindingStatus, Location, Severity};
use futures::{Stream, TryStreamExt};
use projections::{
    QueryError,
    scans::{FindingRow, ScanRow},
};
use serde_json::{Value, json};
use url::{Position, Url};

use super::{Renderer, verdict};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Rules described in the report; the results of further ones carry their id alone.
const MAX_RULES: usize = 20_000;
/// Under which the paths of a repository stand.
const ROOT: &str = "SRCROOT";

/// The rules of a scan, each described as its first finding does, with their places in the report.
pub(super) struct Rules {
    descriptions: Vec<Value>,
    places: BTreeMap<String, usize>,
}

/// Collects the rules in a pass of its own, because a report names them before its results.
pub(super) async fn rules(
    findings: impl Stream<Item = Result<FindingRow, QueryError>>,
) -> Result<Rules, QueryError> {
    let empty = Rules { descriptions: Vec::new(), places: BTreeMap::new() };
    findings
        .try_fold(empty, |mut rules, row| async move {
            let id = &row.finding.rule_id;
            if rules.places.len() < MAX_RULES && !rules.places.contains_key(id) {
                rules.places.insert(id.clone(), rules.descriptions.len());
                rules.descriptions.push(rule(row.engine, &row.finding));
            }
            Ok(rules)
        })
        .await
}

pub(super) struct Sarif {
    head: String,
    places: BTreeMap<String, usize>,
    first: bool,
}

impl Sarif {
    pub fn new(scan: &ScanRow, rules: Rules) -> Self {
        let driver = json!({
            "name": "Millrace",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules.descriptions,
        });
        let properties = json!({
            "scan": scan.id.to_string(),
            "state": scan.state.as_str(),
            "target": scan.target.display(),
            "verdict": verdict::verdict(scan),
        });
        let head = format!(
            "{{\"$schema\":\"{SCHEMA}\",\"version\":\"2.1.0\",\"runs\":[{{\
             \"tool\":{{\"driver\":{driver}}},\"invocations\":[{}],\
             \"columnKind\":\"unicodeCodePoints\",\"properties\":{properties},\"results\":[",
            invocation(scan),
        );
        Self { head, places: rules.places, first: true }
    }
}

impl Renderer for Sarif {
    fn head(&self) -> String {
        self.head.clone()
    }

    fn finding(&mut self, row: &FindingRow, out: &mut String) {
        out.push_str(if self.first { "\n" } else { ",\n" });
        self.first = false;
        out.push_str(&result(row, self.places.get(&row.finding.rule_id)).to_string());
    }

    fn tail(&self) -> &'static str {
        "\n]}]}\n"
    }
}

/// A run that did not see everything is not a successful one, and says why.
fn invocation(scan: &ScanRow) -> Value {
    let successful = verdict::is_conclusive(scan);
    let level = if successful { "warning" } else { "error" };
    let notifications: Vec<_> = verdict::caveats(scan)
        .into_iter()
        .map(|caveat| json!({ "level": level, "message": { "text": caveat } }))
        .collect();
    let mut invocation = json!({
        "executionSuccessful": successful,
        "toolExecutionNotifications": notifications,
    });
    let time = |at: chrono::DateTime<chrono::Utc>| {
        json!(at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    };
    if let Some(started) = scan.started_at {
        invocation["startTimeUtc"] = time(started);
    }
    if let Some(finished) = scan.finished_at {
        invocation["endTimeUtc"] = time(finished);
    }
    invocation
}

fn rule(engine: Engine, finding: &Finding) -> Value {
    let mut tags = vec!["security".to_owned(), engine.to_string()];
    tags.extend(finding.cwe.iter().map(|number| format!("external/cwe/cwe-{number:03}")));
    tags.dedup();
    let mut rule = json!({
        "id": finding.rule_id,
        "shortDescription": { "text": finding.title },
        "fullDescription": { "text": finding.description },
        "defaultConfiguration": { "level": level(finding.severity) },
        "properties": { "tags": tags, "security-severity": security_severity(finding) },
    });
    if let Some(fix) = &finding.fix {
        rule["help"] = json!({ "text": fix });
    }
    if let Some(page) = finding.references.iter().find_map(|reference| web_address(reference)) {
        rule["helpUri"] = json!(page);
    }
    rule
}

fn result(row: &FindingRow, place: Option<&usize>) -> Value {
    let finding = &row.finding;
    let mut result = json!({
        "ruleId": finding.rule_id,
        "level": level(finding.severity),
        "message": { "text": message(finding) },
        "locations": [{ "physicalLocation": physical_location(&finding.location) }],
        "partialFingerprints": { "millrace/v1": finding.fingerprint },
        "properties": {
            "number": row.number,
            "engine": row.engine.as_str(),
            "severity": finding.severity.as_str(),
            "security-severity": security_severity(finding),
        },
    });
    if let Some(place) = place {
        result["ruleIndex"] = json!(place);
    }
    if finding.status == FindingStatus::Suppressed {
        result["suppressions"] = json!([{ "kind": "inSource", "status": "accepted" }]);
    }
    let properties = &mut result["properties"];
    if let Some(evidence) = &finding.evidence {
        properties["evidence"] = json!(evidence);
    }
    if let Some(package) = &finding.package {
        properties["purl"] = json!(package.purl);
    }
    if let Location::File { commit: Some(commit), .. } = &finding.location {
        properties["commit"] = json!(commit);
    }
    if let Location::Url { part: Some(part), .. } = &finding.location {
        properties["part"] = json!(part);
    }
    result
}

fn message(finding: &Finding) -> String {
    match &finding.evidence {
        Some(evidence) => format!("{}: {evidence}", finding.title),
        None => finding.title.clone(),
    }
}

fn physical_location(location: &Location) -> Value {
    match location {
        Location::File { path, line, column, .. } => {
            let mut physical =
                json!({ "artifactLocation": { "uri": relative(path), "uriBaseId": ROOT } });
            if let Some(line) = line.filter(|line| *line >= 1) {
                physical["region"] = json!({ "startLine": line });
                if let Some(column) = column.filter(|column| *column >= 1) {
                    physical["region"]["startColumn"] = json!(column);
                }
            }
            physical
        }
        Location::Url { url, .. } => {
            let uri = Url::parse(url).map_or_else(|_| relative(url), |url| absolute(&url));
            json!({ "artifactLocation": { "uri": uri } })
        }
    }
}

/// A path as a relative reference (RFC 3986): only what needs no escape stays as it is. A colon
/// would make a scheme of the first segment, an empty first segment a host.
fn relative(path: &str) -> String {
    escaped(path.trim_start_matches('/'), |_, byte| byte == b'/')
}

/// An address as a URI (RFC 3986), which allows less than browsers and their standard do.
fn absolute(url: &Url) -> String {
    let is_escape = |text: &str, at: usize| {
        let digits = text.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let part = |text: &str, delimiters: &[u8]| {
        escaped(text, |at, byte| match byte {
            b'%' => is_escape(text, at),
            _ => delimiters.contains(&byte) || b":/?@!$&'()*+,;=".contains(&byte),
        })
    };
    let mut uri = part(&url[..Position::BeforePath], b"[]");
    uri.push_str(&part(&url[Position::BeforePath..Position::AfterQuery], b""));
    if let Some(fragment) = url.fragment() {
        uri.push('#');
        uri.push_str(&part(fragment, b""));
    }
    uri
}

/// Escapes every byte that is neither unreserved nor, at its place, plain.
fn escaped(text: &str, is_plain: impl Fn(usize, u8) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || is_plain(at, byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn web_address(reference: &str) -> Option<String> {
    let url = Url::parse(reference).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| absolute(&url))
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The score by which code hosts sort: of the CVSS, else in the middle of the severity's range.
fn security_severity(finding: &Finding) -> String {
    let score = finding.cvss.as_ref().map(|cvss| cvss.score.clamp(0.0, 10.0));
    let score = score.unwrap_or(match finding.severity {
        Severity::Critical => 9.5,
        Severity::High => 8.0,
        Severity::Medium => 5.5,
        Severity::Low => 2.0,
        Severity::Info => 0.0,
    });
    format!("{score:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_relative_reference_whatever_it_holds() {
        assert_eq!(relative("src/main.rs"), "src/main.rs");
        assert_eq!(relative("a b/#c?.é"), "a%20b/%23c%3F.%C3%A9");
        assert_eq!(relative("javascript:alert(1)"), "javascript%3Aalert%281%29");
        assert_eq!(relative("//evil/x"), "evil/x");
    }

    #[test]
    fn an_address_becomes_a_uri_whatever_browsers_allow() {
        for (address, uri) in [
            ("https://example.org/a?b=c&d#e", "https://example.org/a?b=c&d#e"),
            ("https://u:p@[::1]:8443/%41%zz%4", "https://u:p@[::1]:8443/%41%25zz%254"),
            ("https://x/a b|c?q=[{^}]#f#`g", "https://x/a%20b%7Cc?q=%5B%7B%5E%7D%5D#f%23%60g"),
        ] {
            assert_eq!(absolute(&Url::parse(address).unwrap()), uri);
        }
    }
}
