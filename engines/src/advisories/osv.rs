//! What is kept of an advisory, and how it is read from the OSV format (ossf.github.io/osv-schema).

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::Value;

use super::Ecosystem;

const MAX_DETAILS: usize = 4000;
const MAX_SUMMARY: usize = 300;
const MAX_ALIASES: usize = 50;
const MAX_REFERENCES: usize = 20;
const MAX_CWES: usize = 20;

/// An advisory as far as it is about one package.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Advisory {
    pub id: String,
    pub summary: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Score>,
    /// The word of the database that published it, such as `HIGH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Why it was published although it is no vulnerability: `unmaintained`, `unsound`, `notice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub informational: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cwe: Vec<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
    pub affected: Vec<Affected>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// `CVSS_V3`.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(rename = "score")]
    pub vector: String,
}

/// Versions that are affected: those in one of the ranges and those listed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Affected {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Range {
    #[serde(rename = "type")]
    pub kind: RangeKind,
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RangeKind {
    #[serde(rename = "SEMVER")]
    Semver,
    #[serde(rename = "ECOSYSTEM")]
    Ecosystem,
    /// Of commits, which says nothing about versions.
    #[serde(rename = "GIT", other)]
    Git,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// `0` stands for the first version there ever was.
    Introduced(String),
    Fixed(String),
    /// The last version that is affected.
    LastAffected(String),
    /// Versions from here on are not spoken of.
    Limit(String),
}

/// A file in the OSV format.
#[derive(Debug, Deserialize)]
pub struct Document {
    id: String,
    #[serde(default)]
    withdrawn: Option<IgnoredAny>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    aliases: Option<Vec<String>>,
    #[serde(default)]
    severity: Option<Vec<Score>>,
    #[serde(default)]
    affected: Option<Vec<DocumentAffected>>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    #[serde(default)]
    database_specific: Value,
}

#[derive(Debug, Deserialize)]
struct DocumentAffected {
    #[serde(default)]
    package: Option<DocumentPackage>,
    #[serde(default)]
    severity: Option<Vec<Score>>,
    #[serde(default)]
    ranges: Option<Vec<Range>>,
    #[serde(default)]
    versions: Option<Vec<String>>,
    #[serde(default)]
    database_specific: Value,
}

#[derive(Debug, Deserialize)]
struct DocumentPackage {
    ecosystem: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Reference {
    url: String,
}

impl Document {
    pub fn is_withdrawn(&self) -> bool {
        self.withdrawn.is_some()
    }

    /// One advisory for each package of an ecosystem that is kept.
    pub fn advisories(self) -> Vec<(Ecosystem, String, Advisory)> {
        let common = Advisory {
            id: self.id,
            summary: shortened(self.summary.unwrap_or_default(), MAX_SUMMARY),
            details: shortened(self.details.unwrap_or_default(), MAX_DETAILS),
            aliases: first(self.aliases.unwrap_or_default(), MAX_ALIASES),
            scores: self.severity.unwrap_or_default(),
            severity: text(&self.database_specific, "severity"),
            informational: None,
            cwe: cwes(&self.database_specific),
            references: first(self.references.unwrap_or_default(), MAX_REFERENCES)
                .into_iter()
                .map(|reference| reference.url)
                .collect(),
            affected: Vec::new(),
        };
        let mut advisories: Vec<(Ecosystem, String, Advisory)> = Vec::new();
        for affected in self.affected.unwrap_or_default() {
            let Some(package) = affected.package else { continue };
            // A suffix names a release of the ecosystem: `Debian:12`.
            let name = package.ecosystem.split(':').next().unwrap_or_default();
            let Some(ecosystem) = Ecosystem::parse(name) else { continue };
            let name = ecosystem.normalized(&package.name).into_owned();
            let known = advisories.iter().position(|(e, n, _)| *e == ecosystem && *n == name);
            let at = known.unwrap_or_else(|| {
                advisories.push((ecosystem, name, common.clone()));
                advisories.len() - 1
            });
            let advisory = &mut advisories[at].2;
            advisory.scores.extend(affected.severity.unwrap_or_default());
            let own = &affected.database_specific;
            advisory.informational =
                advisory.informational.take().or_else(|| text(own, "informational"));
            advisory.severity = advisory.severity.take().or_else(|| text(own, "severity"));
            advisory.affected.push(Affected {
                ranges: affected.ranges.unwrap_or_default(),
                versions: affected.versions.unwrap_or_default(),
            });
        }
        advisories
    }
}

fn text(specific: &Value, key: &str) -> Option<String> {
    specific.get(key).and_then(Value::as_str).map(|text| shortened(text.to_owned(), 50))
}

/// `["CWE-79"]` to 79.
fn cwes(specific: &Value) -> Vec<u32> {
    specific
        .get("cwe_ids")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|id| id.as_str()?.strip_prefix("CWE-")?.parse().ok())
        .take(MAX_CWES)
        .collect()
}

fn first<T>(mut all: Vec<T>, max: usize) -> Vec<T> {
    all.truncate(max);
    all
}

fn shortened(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push_str(" [...]");
    }
    text
}
