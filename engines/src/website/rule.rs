use domain::scans::{Finding, FindingStatus, Location, Severity};
use sha2::{Digest, Sha256};
use url::Url;

use super::show;

/// What is known beforehand of one kind of weakness.
pub(super) struct Rule {
    pub id: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub severity: Severity,
    pub cwe: &'static [u32],
    pub fix: &'static str,
    pub references: &'static [&'static str],
}

impl Rule {
    /// `part` names the place within the origin, `header:server` or `path:/.env`: with the rule and
    /// the origin it makes up the identity of the finding. The evidence must be masked already.
    pub fn found(&self, url: &Url, part: &str, evidence: &str) -> Finding {
        let part = show::text(part);
        Finding {
            rule_id: self.id.to_owned(),
            title: self.title.to_owned(),
            description: self.description.to_owned(),
            severity: self.severity,
            cvss: None,
            cwe: self.cwe.to_vec(),
            fingerprint: fingerprint(self.id, url, &part),
            location: Location::Url { url: show::url(url), part: Some(part) },
            evidence: Some(show::text(evidence)),
            fix: Some(self.fix.to_owned()),
            references: self.references.iter().map(|url| (*url).to_owned()).collect(),
            aliases: Vec::new(),
            package: None,
            status: FindingStatus::Open,
        }
    }

    pub fn found_as(&self, severity: Severity, url: &Url, part: &str, evidence: &str) -> Finding {
        Finding { severity, ..self.found(url, part, evidence) }
    }
}

fn fingerprint(rule: &str, url: &Url, part: &str) -> String {
    let origin = url.origin().ascii_serialization();
    let digest = Sha256::digest(format!("website\n{rule}\n{origin}\n{part}"));
    digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
