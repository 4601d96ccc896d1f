use domain::scans::{self, Location};
use poem_openapi::{Enum, Object};
use projections::scans::FindingRow;

use super::model::Engine;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(crate) enum Severity {
    Critical,
    High,
    Medium,
    Low,
    Info,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "FindingStatus")]
pub(crate) enum Status {
    Open,
    /// Accepted at its place in the target. It is kept and shown, but not counted.
    Suppressed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case", rename = "LocationKind")]
enum LocationKind {
    File,
    Url,
}

/// Where it is: in a file, with `path` and maybe more, or at a `url`.
#[derive(Debug, Object)]
#[oai(rename = "Location")]
struct LocationView {
    kind: LocationKind,
    /// Relative to the root of the target.
    #[oai(skip_serializing_if_is_none)]
    path: Option<String>,
    /// From 1.
    #[oai(skip_serializing_if_is_none)]
    line: Option<u32>,
    /// From 1.
    #[oai(skip_serializing_if_is_none)]
    column: Option<u32>,
    /// The commit that holds it, when it was found in the history.
    #[oai(skip_serializing_if_is_none)]
    commit: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    url: Option<String>,
    /// The part of the exchange, `header:strict-transport-security`.
    #[oai(skip_serializing_if_is_none)]
    part: Option<String>,
}

/// A score of the Common Vulnerability Scoring System.
#[derive(Debug, Object)]
struct Cvss {
    score: f64,
    vector: String,
}

/// The affected package.
#[derive(Debug, Object)]
struct Package {
    /// Package URL.
    purl: String,
    /// Versions that have the fix.
    fixed_in: Vec<String>,
}

/// A weakness. Secret values in it are masked.
#[derive(Debug, Object)]
#[oai(rename = "Finding")]
pub(crate) struct FindingView {
    /// Counts from 1 within the scan.
    number: u64,
    engine: Engine,
    rule_id: String,
    title: String,
    description: String,
    severity: Severity,
    status: Status,
    #[oai(skip_serializing_if_is_none)]
    cvss: Option<Cvss>,
    /// Numbers of the Common Weakness Enumeration.
    #[oai(skip_serializing_if_is_empty)]
    cwe: Vec<u32>,
    location: LocationView,
    /// What was seen, masked.
    #[oai(skip_serializing_if_is_none)]
    evidence: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    fix: Option<String>,
    #[oai(skip_serializing_if_is_empty)]
    references: Vec<String>,
    /// Other names of the same weakness.
    #[oai(skip_serializing_if_is_empty)]
    aliases: Vec<String>,
    #[oai(skip_serializing_if_is_none)]
    package: Option<Package>,
    /// Stays the same when the finding merely moves to another line.
    fingerprint: String,
}

impl From<FindingRow> for FindingView {
    fn from(row: FindingRow) -> Self {
        let finding = row.finding;
        Self {
            number: row.number,
            engine: row.engine.into(),
            rule_id: finding.rule_id,
            title: finding.title,
            description: finding.description,
            severity: finding.severity.into(),
            status: finding.status.into(),
            cvss: finding.cvss.map(|cvss| Cvss { score: cvss.score, vector: cvss.vector }),
            cwe: finding.cwe,
            location: finding.location.into(),
            evidence: finding.evidence,
            fix: finding.fix,
            references: finding.references,
            aliases: finding.aliases,
            package: finding
                .package
                .map(|package| Package { purl: package.purl, fixed_in: package.fixed_in }),
            fingerprint: finding.fingerprint,
        }
    }
}

impl From<Location> for LocationView {
    fn from(location: Location) -> Self {
        let empty = Self {
            kind: LocationKind::File,
            path: None,
            line: None,
            column: None,
            commit: None,
            url: None,
            part: None,
        };
        match location {
            Location::File { path, line, column, commit } => {
                Self { path: Some(path), line, column, commit, ..empty }
            }
            Location::Url { url, part } => {
                Self { kind: LocationKind::Url, url: Some(url), part, ..empty }
            }
        }
    }
}

impl From<Severity> for scans::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Critical,
            Severity::High => Self::High,
            Severity::Medium => Self::Medium,
            Severity::Low => Self::Low,
            Severity::Info => Self::Info,
        }
    }
}

impl From<scans::Severity> for Severity {
    fn from(severity: scans::Severity) -> Self {
        match severity {
            scans::Severity::Critical => Self::Critical,
            scans::Severity::High => Self::High,
            scans::Severity::Medium => Self::Medium,
            scans::Severity::Low => Self::Low,
            scans::Severity::Info => Self::Info,
        }
    }
}

impl From<Status> for scans::FindingStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Open => Self::Open,
            Status::Suppressed => Self::Suppressed,
        }
    }
}

impl From<scans::FindingStatus> for Status {
    fn from(status: scans::FindingStatus) -> Self {
        match status {
            scans::FindingStatus::Open => Self::Open,
            scans::FindingStatus::Suppressed => Self::Suppressed,
        }
    }
}
