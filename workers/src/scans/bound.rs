//! What an engine says is read by people and kept for ever, and the target wrote part of it. So
//! every text is cut to a length and made visible, and what has a form is held to it.

use domain::scans::{Cvss, Engine, Finding, Location, Package, Warning};

use crate::hidden::is_hidden;

const RULE: usize = 200;
const TITLE: usize = 300;
const TEXT: usize = 4096;
const PATH: usize = 4096;
const NAME: usize = 200;
const PURL: usize = 1024;
const REFERENCE: usize = 2048;
const LIST: usize = 20;
const MESSAGE: usize = 1000;

/// One line of at most so many characters.
pub(super) fn line(text: &str, chars: usize) -> String {
    text.chars().filter(|char| !is_hidden(*char)).take(chars).collect()
}

/// The same with line breaks and tabs.
fn block(text: &str, chars: usize) -> String {
    let shown = |char: &char| matches!(char, '\n' | '\t') || !is_hidden(*char);
    text.chars().filter(shown).take(chars).collect()
}

fn list(texts: Vec<String>, chars: usize) -> Vec<String> {
    texts.iter().take(LIST).map(|text| line(text, chars)).collect()
}

/// The finding as it may be recorded, or what is wrong with it.
pub(super) fn finding(finding: Finding) -> Result<Finding, &'static str> {
    let hexadecimal = finding.fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
    if finding.fingerprint.len() != 32 || !hexadecimal {
        return Err("a fingerprint is not 32 hexadecimal digits");
    }
    let mut cwe = finding.cwe;
    cwe.truncate(LIST);
    let web = |url: &String| url.starts_with("https://") || url.starts_with("http://");
    Ok(Finding {
        rule_id: line(&finding.rule_id, RULE),
        title: line(&finding.title, TITLE),
        description: block(&finding.description, TEXT),
        severity: finding.severity,
        cvss: finding
            .cvss
            .filter(|cvss| (0.0..=10.0).contains(&cvss.score))
            .map(|cvss| Cvss { score: cvss.score, vector: line(&cvss.vector, NAME) }),
        cwe,
        location: location(finding.location)?,
        evidence: finding.evidence.map(|text| block(&text, TEXT)),
        fix: finding.fix.map(|text| block(&text, TEXT)),
        references: list(finding.references.into_iter().filter(web).collect(), REFERENCE),
        aliases: list(finding.aliases, NAME),
        package: finding.package.map(|package| Package {
            purl: line(&package.purl, PURL),
            fixed_in: list(package.fixed_in, NAME),
        }),
        status: finding.status,
        fingerprint: finding.fingerprint,
    })
}

fn location(location: Location) -> Result<Location, &'static str> {
    Ok(match location {
        Location::File { path, line: row, column, commit } => {
            if path.starts_with('/') || path.split('/').any(|part| part == "..") {
                return Err("a path leads out of the target");
            }
            let hexadecimal = |commit: &String| commit.bytes().all(|b| b.is_ascii_hexdigit());
            let commit = commit.filter(|commit| commit.len() <= 64 && hexadecimal(commit));
            Location::File { path: line(&path, PATH), line: row, column, commit }
        }
        Location::Url { url, part } => {
            Location::Url { url: line(&url, PATH), part: part.map(|part| line(&part, NAME)) }
        }
    })
}

pub(super) fn warning(warning: Warning, engine: Engine) -> Warning {
    let plain = |char: &char| char.is_ascii_lowercase() || char.is_ascii_digit() || *char == '-';
    Warning {
        code: warning.code.chars().filter(plain).take(64).collect(),
        message: line(&warning.message, MESSAGE),
        engine: Some(engine),
    }
}

#[cfg(test)]
mod tests {
    use domain::scans::{FindingStatus, Severity};

    use super::*;

    fn sample(path: &str) -> Finding {
        Finding {
            rule_id: "rule\u{0}".to_owned(),
            title: "x".repeat(1000),
            description: "one\ntwo\u{1b}[31m\u{202e}".to_owned(),
            severity: Severity::Low,
            cvss: Some(Cvss { score: 11.0, vector: String::new() }),
            cwe: (0..1000).collect(),
            location: Location::File {
                path: path.to_owned(),
                line: Some(1),
                column: None,
                commit: Some("not a commit".to_owned()),
            },
            evidence: Some("e".repeat(10_000_000)),
            fix: None,
            references: vec!["javascript:alert(1)".to_owned(), "https://example.org".to_owned()],
            aliases: vec![String::new(); 1000],
            package: None,
            status: FindingStatus::Open,
            fingerprint: "0123456789abcdef0123456789abcdef".to_owned(),
        }
    }

    #[test]
    fn texts_are_cut_and_made_visible() {
        let bounded = finding(sample("src/a.rs")).unwrap();
        assert_eq!(bounded.rule_id, "rule");
        assert_eq!(bounded.title.len(), TITLE);
        assert_eq!(bounded.description, "one\ntwo[31m");
        assert_eq!(bounded.evidence.map(|text| text.len()), Some(TEXT));
        assert_eq!(bounded.references, ["https://example.org"]);
        assert_eq!((bounded.aliases.len(), bounded.cwe.len()), (LIST, LIST));
        assert_eq!(bounded.cvss, None);
        assert!(matches!(bounded.location, Location::File { commit: None, .. }));
    }

    #[test]
    fn what_has_a_form_is_held_to_it() {
        assert!(finding(sample("/etc/passwd")).is_err());
        assert!(finding(sample("a/../../b")).is_err());
        assert!(finding(sample("a..b/c")).is_ok());
        let other = Finding { fingerprint: "short".to_owned(), ..sample("a") };
        assert!(finding(other).is_err());
    }
}
