use domain::scans::Location;
use projections::scans::{FindingRow, ScanRow};

use super::{Renderer, verdict};
use crate::csv::row;

const COLUMNS: [&str; 18] = [
    "record",
    "number",
    "severity",
    "status",
    "engine",
    "rule_id",
    "title",
    "description",
    "location",
    "line",
    "evidence",
    "fix",
    "cvss",
    "cwe",
    "package",
    "references",
    "aliases",
    "fingerprint",
];

/// Comma-separated values. What must be known before the findings comes in rows of its own, which
/// the first column tells apart, so that an incomplete scan is never an empty table.
pub(super) struct Csv {
    head: String,
}

impl Csv {
    pub fn new(scan: &ScanRow) -> Self {
        let mut head = row(COLUMNS.map(str::to_owned));
        let mut remark = |record: &str, text: String| {
            let mut cells = [const { String::new() }; COLUMNS.len()];
            cells[0] = record.to_owned();
            cells[6] = text;
            head.push_str(&row(cells));
        };
        for caveat in verdict::caveats(scan) {
            remark("caveat", caveat);
        }
        remark("verdict", verdict::verdict(scan));
        Self { head }
    }
}

impl Renderer for Csv {
    fn head(&self) -> String {
        self.head.clone()
    }

    fn finding(&mut self, finding: &FindingRow, out: &mut String) {
        let (number, engine, finding) = (finding.number, finding.engine, &finding.finding);
        let (location, line) = match &finding.location {
            Location::File { path, line, .. } => (path.clone(), line.map(|n| n.to_string())),
            Location::Url { url, part } => match part {
                Some(part) => (format!("{url} {part}"), None),
                None => (url.clone(), None),
            },
        };
        out.push_str(&row([
            "finding".to_owned(),
            number.to_string(),
            finding.severity.to_string(),
            finding.status.as_str().to_owned(),
            engine.to_string(),
            finding.rule_id.clone(),
            finding.title.clone(),
            finding.description.clone(),
            location,
            line.unwrap_or_default(),
            finding.evidence.clone().unwrap_or_default(),
            finding.fix.clone().unwrap_or_default(),
            finding.cvss.as_ref().map(|cvss| format!("{:.1}", cvss.score)).unwrap_or_default(),
            finding.cwe.iter().map(|n| format!("CWE-{n}")).collect::<Vec<_>>().join(" "),
            finding.package.as_ref().map(|package| package.purl.clone()).unwrap_or_default(),
            finding.references.join(" "),
            finding.aliases.join(" "),
            finding.fingerprint.clone(),
        ]));
    }

    fn tail(&self) -> &'static str {
        ""
    }
}
