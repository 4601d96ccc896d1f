use domain::scans::Location;
use projections::scans::{FindingRow, ScanRow};

use super::{Renderer, verdict};

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

fn row(cells: [String; COLUMNS.len()]) -> String {
    let mut line = cells.map(|cell| quoted(&cell)).join(",");
    line.push_str("\r\n");
    line
}

/// Quoted as RFC 4180 wants it, without the controls that readers choke on. A cell that a spreadsheet would run as a formula gets an
/// apostrophe in front, which makes it text.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { "'" } else { "" };
    let shown = |c: char| if c.is_control() && !"\t\r\n".contains(c) { '\u{fffd}' } else { c };
    let text: String = cell.chars().map(shown).collect();
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_breaks_its_row() {
        assert_eq!(quoted("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        for start in ["+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert!(quoted(start).starts_with("\"'"), "{start:?}");
        }
        assert_eq!(quoted("a \"b\", c\r\nd"), "\"a \"\"b\"\", c\r\nd\"");
    }
}
