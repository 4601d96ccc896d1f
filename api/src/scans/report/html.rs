use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::scans::{Finding, FindingStatus, Location, Severity};
use projections::scans::{FindingRow, ScanRow};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Renderer, verdict};

const STYLE: &str = include_str!("report.css");

/// One page for people. Nothing in it runs, and every value of it is text, whatever it contains.
pub(super) struct Html {
    scan: ScanRow,
}

impl Html {
    pub fn new(scan: ScanRow) -> Self {
        Self { scan }
    }
}

/// What a browser may do with the page: show it in its own style, and nothing else.
pub(super) fn policy() -> String {
    format!("{}; frame-ancestors 'none'", embedded_policy())
}

/// The part of the policy that also works from inside a saved page.
fn embedded_policy() -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'")
}

impl Renderer for Html {
    fn head(&self) -> String {
        let scan = &self.scan;
        let target = Text(scan.target.display());
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <title>Scan of {target}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1>Scan of {target}</h1>\n",
            policy = embedded_policy(),
        );
        let class = if verdict::is_conclusive(scan) { "conclusive" } else { "inconclusive" };
        let _ = writeln!(out, "<p class=\"{class}\">{}</p>", Text(&verdict::verdict(scan)));
        let caveats = verdict::caveats(scan);
        if !caveats.is_empty() {
            out.push_str("<ul class=\"caveats\">\n");
            for caveat in &caveats {
                let _ = writeln!(out, "<li>{}</li>", Text(caveat));
            }
            out.push_str("</ul>\n");
        }
        facts(scan, &mut out);
        engines(scan, &mut out);
        out.push_str("<h2>Findings</h2>\n");
        if scan.findings == 0 {
            out.push_str("<p>None were recorded.</p>\n");
        }
        out
    }

    fn finding(&mut self, row: &FindingRow, out: &mut String) {
        let finding = &row.finding;
        let severity = finding.severity.as_str();
        let _ = write!(
            out,
            "<article>\n<h3><span class=\"severity {severity}\">{severity}</span> {}</h3>\n",
            Text(&finding.title)
        );
        if finding.status == FindingStatus::Suppressed {
            out.push_str("<p class=\"suppressed\">Suppressed at its place in the target.</p>\n");
        }
        let _ = writeln!(out, "<p>{}</p>\n<dl>", Text(&finding.description));
        term(out, "Where", &place(&finding.location));
        term(out, "Rule", &finding.rule_id);
        term(out, "Engine", row.engine.as_str());
        if let Some(evidence) = &finding.evidence {
            let _ = writeln!(out, "<dt>Evidence</dt><dd><pre>{}</pre></dd>", Text(evidence));
        }
        if let Some(fix) = &finding.fix {
            term(out, "Fix", fix);
        }
        details(finding, out);
        term(out, "Fingerprint", &finding.fingerprint);
        out.push_str("</dl>\n</article>\n");
    }

    fn tail(&self) -> &'static str {
        "</body>\n</html>\n"
    }
}

fn facts(scan: &ScanRow, out: &mut String) {
    out.push_str("<table>\n<tr>");
    for severity in Severity::ALL {
        let _ = write!(out, "<th>{severity}</th>");
    }
    out.push_str("<th>suppressed</th></tr>\n<tr>");
    for severity in Severity::ALL {
        let _ = write!(out, "<td>{}</td>", scan.counts.get(severity));
    }
    let _ = writeln!(out, "<td>{}</td></tr>\n</table>\n<dl>", scan.suppressed);
    term(out, "Scan", &scan.id.to_string());
    term(out, "State", scan.state.as_str());
    term(out, "Requested", &scan.requested_at.to_rfc3339());
    if let Some(finished) = scan.finished_at {
        term(out, "Ended", &finished.to_rfc3339());
    }
    out.push_str("</dl>\n");
}

fn engines(scan: &ScanRow, out: &mut String) {
    out.push_str(
        "<h2>Engines</h2>\n<table>\n\
         <tr><th>engine</th><th>state</th><th>findings</th><th>looked at</th></tr>\n",
    );
    for engine in &scan.engines {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            engine.engine,
            engine.status.as_str(),
            engine.findings,
            Text(engine.summary.as_deref().unwrap_or("")),
        );
    }
    out.push_str("</table>\n");
}

fn details(finding: &Finding, out: &mut String) {
    if let Some(cvss) = &finding.cvss {
        term(out, "CVSS", &format!("{:.1} {}", cvss.score, cvss.vector));
    }
    if !finding.cwe.is_empty() {
        let numbers: Vec<_> = finding.cwe.iter().map(|n| format!("CWE-{n}")).collect();
        term(out, "CWE", &numbers.join(", "));
    }
    if let Some(package) = &finding.package {
        term(out, "Package", &package.purl);
        if !package.fixed_in.is_empty() {
            term(out, "Fixed in", &package.fixed_in.join(", "));
        }
    }
    if !finding.aliases.is_empty() {
        term(out, "Also known as", &finding.aliases.join(", "));
    }
    for reference in &finding.references {
        let _ = writeln!(out, "<dt>Reference</dt><dd>{}</dd>", link(reference));
    }
}

fn term(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", Text(value));
}

fn place(location: &Location) -> String {
    match location {
        Location::File { path, line, column, commit } => {
            let mut place = path.clone();
            for number in [line, column].into_iter().flatten() {
                let _ = write!(place, ":{number}");
            }
            if let Some(commit) = commit {
                let _ = write!(place, " in commit {commit}");
            }
            place
        }
        Location::Url { url, part: Some(part) } => format!("{url} ({part})"),
        Location::Url { url, part: None } => url.clone(),
    }
}

/// A link when it leads to a web page, else only its text.
fn link(reference: &str) -> String {
    match Url::parse(reference) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => format!(
            "<a href=\"{}\" rel=\"noopener noreferrer nofollow\">{}</a>",
            Text(url.as_str()),
            Text(reference)
        ),
        _ => Text(reference).to_string(),
    }
}

/// Text that is shown as it is: no character of it is markup, and none that would be invisible or
/// turn the direction of what follows stays hidden.
struct Text<'a>(&'a str);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(c)?,
                c if is_deceptive(c) => write!(f, "[U+{:04X}]", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Controls, marks of direction and what has no width.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        let hostile = "</style><script>alert('1')</script>\u{202e}\"&\u{7}";
        let shown = Text(hostile).to_string();
        assert_eq!(
            shown,
            "&lt;/style&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;[U+202E]&quot;&amp;[U+0007]"
        );
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert!(link("https://example.org/?a=1&b=\"").starts_with("<a href=\"https://"));
        for bad in ["javascript:alert(1)", "data:text/html,x", "//example.org", "CVE-2026-1"] {
            assert!(!link(bad).contains("<a"), "{bad} became a link");
        }
    }
}
