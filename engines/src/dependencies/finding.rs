//! What is told about a package that an advisory speaks of.

use std::fmt::Write as _;

use domain::scans::{Cvss, Finding, FindingStatus, Location, Package as FoundPackage, Severity};
use sha2::{Digest, Sha256};

use super::{
    cvss,
    lockfiles::{GO_STANDARD_LIBRARY, Package},
    purl,
};
use crate::advisories::{Advisory, Ecosystem};

/// CWE-1395, dependency on a vulnerable third-party component.
const CWE: u32 = 1395;

/// An advisory that affects a package.
#[derive(Debug, Clone)]
pub struct Match {
    pub advisory: Advisory,
    pub fixed_in: Vec<String>,
}

/// Databases publish the same weakness under names of their own: matches that name each other, or
/// the same third name, become one.
pub fn merged(mut matches: Vec<Match>) -> Vec<Match> {
    matches.sort_by(|a, b| rank(&a.advisory.id).cmp(&rank(&b.advisory.id)));
    let mut merged: Vec<Match> = Vec::new();
    for found in matches {
        match merged.iter_mut().find(|known| is_same(&known.advisory, &found.advisory)) {
            Some(known) => absorb(known, found),
            None => merged.push(found),
        }
    }
    merged
}

/// The database of the ecosystem itself comes first.
fn rank(id: &str) -> (u8, &str) {
    let own = ["RUSTSEC-", "PYSEC-", "GO-", "MAL-"].iter().any(|start| id.starts_with(start));
    (u8::from(!own), id)
}

fn is_same(a: &Advisory, b: &Advisory) -> bool {
    let names = |advisory: &Advisory| {
        std::iter::once(advisory.id.clone()).chain(advisory.aliases.clone()).collect::<Vec<_>>()
    };
    let of_a = names(a);
    names(b).iter().any(|name| of_a.contains(name))
}

fn absorb(known: &mut Match, other: Match) {
    let advisory = &mut known.advisory;
    for name in std::iter::once(other.advisory.id).chain(other.advisory.aliases) {
        if name != advisory.id && !advisory.aliases.contains(&name) {
            advisory.aliases.push(name);
        }
    }
    advisory.scores.extend(other.advisory.scores);
    advisory.severity = advisory.severity.take().or(other.advisory.severity);
    for reference in other.advisory.references {
        if !advisory.references.contains(&reference) {
            advisory.references.push(reference);
        }
    }
    for cwe in other.advisory.cwe {
        if !advisory.cwe.contains(&cwe) {
            advisory.cwe.push(cwe);
        }
    }
    if advisory.summary.is_empty() {
        advisory.summary = other.advisory.summary;
    }
    if known.fixed_in.is_empty() {
        known.fixed_in = other.fixed_in;
    }
}

pub fn finding(ecosystem: Ecosystem, path: &str, package: &Package, found: Match) -> Finding {
    let Match { advisory, fixed_in } = found;
    let cvss = highest_score(&advisory);
    let severity = severity(&advisory, cvss.as_ref());
    let title = if advisory.summary.is_empty() {
        format!("{} affects {}", advisory.id, package.name)
    } else {
        advisory.summary
    };
    let details = if advisory.details.is_empty() { title.clone() } else { advisory.details };
    let cwe = if advisory.cwe.is_empty() { vec![CWE] } else { advisory.cwe };
    Finding {
        description: format!("{} {} is affected. {details}", package.name, package.version),
        title,
        severity,
        cvss,
        cwe,
        location: Location::File {
            path: path.to_owned(),
            line: package.line,
            column: None,
            commit: None,
        },
        evidence: Some(format!("{} {}", package.name, package.version)),
        fix: Some(fix(ecosystem, package, &fixed_in)),
        references: advisory.references,
        aliases: advisory.aliases,
        package: Some(FoundPackage {
            purl: purl::purl(ecosystem, &package.name, &package.version),
            fixed_in,
        }),
        status: FindingStatus::Open,
        fingerprint: fingerprint(&advisory.id, ecosystem, path, &package.name),
        rule_id: advisory.id,
    }
}

fn highest_score(advisory: &Advisory) -> Option<Cvss> {
    advisory
        .scores
        .iter()
        .filter_map(|score| {
            let vector = score.vector.trim_end_matches('/').to_owned();
            Some(Cvss { score: cvss::score(&vector)?, vector })
        })
        .max_by(|a, b| a.score.total_cmp(&b.score))
}

fn severity(advisory: &Advisory, cvss: Option<&Cvss>) -> Severity {
    if advisory.id.starts_with("MAL-") {
        return Severity::Critical;
    }
    if let Some(cvss) = cvss {
        return Severity::of_cvss(cvss.score);
    }
    let word = advisory.severity.as_deref().unwrap_or_default().to_ascii_lowercase();
    match (word.as_str(), advisory.informational.as_deref()) {
        ("critical", _) => Severity::Critical,
        ("high", _) => Severity::High,
        ("moderate" | "medium", _) => Severity::Medium,
        ("low" | "minor", _) => Severity::Low,
        (_, Some("unsound")) => Severity::Low,
        (_, Some(_)) => Severity::Info,
        _ => Severity::Medium,
    }
}

fn fix(ecosystem: Ecosystem, package: &Package, fixed_in: &[String]) -> String {
    match fixed_in {
        [first, ..] if ecosystem == Ecosystem::Go && package.name == GO_STANDARD_LIBRARY => {
            format!("Build with Go {first} or later: raise the toolchain or go line of go.mod.")
        }
        [] => format!(
            "No version with a fix is known. Replace {} or make sure that the affected part is \
             not used.",
            package.name
        ),
        [first, ..] => format!("Upgrade {} to {first} or later.", package.name),
    }
}

/// Neither the line nor the version is a part of it: both change without the finding changing.
fn fingerprint(id: &str, ecosystem: Ecosystem, path: &str, name: &str) -> String {
    let package = purl::without_version(ecosystem, name);
    let digest = Sha256::digest(format!("{id}\0{package}\0{path}"));
    digest[..16].iter().fold(String::with_capacity(32), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
