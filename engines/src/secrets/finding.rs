//! What is told about a credential. Its value never leaves this file except masked.

use std::{collections::HashMap, fmt::Write as _, ops::Range};

use domain::scans::{Finding, FindingStatus, Location};
use sha2::{Digest, Sha256};

use super::{
    detect::{Hit, line_around},
    rule::Rule,
};

const MAX_SHOWN: usize = 4;
const MAX_STARS: usize = 32;

/// CWE-798, use of hard-coded credentials.
const CWE: u32 = 798;

/// Comments that accept a credential at its place.
const ALLOW: [&[u8]; 2] = [b"millrace:allow", b"gitleaks:allow"];

/// A text in which credentials were found.
pub struct Source<'a> {
    pub path: &'a str,
    pub text: &'a [u8],
    /// The number of the first line of the text.
    pub first_line: u64,
    /// The commit that added it, when it is from the history.
    pub commit: Option<&'a str>,
}

/// How often each fingerprint was given within one file, so that the same credential in several
/// places has several.
#[derive(Default)]
pub struct Occurrences(HashMap<[u8; 32], u32>);

/// The numbers of lines and columns, both from 1. Built once for a text with hits.
pub struct Lines(Vec<usize>);

impl Lines {
    pub fn of(text: &[u8]) -> Self {
        let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self(std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect())
    }

    fn place(&self, offset: usize) -> (u64, u64) {
        let line = self.0.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.0.get(line)).copied().unwrap_or(0);
        (line as u64, (offset - start) as u64 + 1)
    }
}

/// The finding for a hit. `hits` are all of the same text: every one of them is masked in what
/// the fingerprint is made of.
pub fn finding(
    source: &Source<'_>,
    lines: &Lines,
    hits: &[Hit],
    hit: &Hit,
    occurrences: &mut Occurrences,
) -> Finding {
    let rule = hit.rule;
    let line = line_around(source.text, hit);
    let (number, column) = lines.place(hit.start);
    let allowed = ALLOW.iter().any(|mark| contains(&source.text[line.clone()], mark));
    Finding {
        rule_id: format!("secrets.{}", rule.id),
        title: title(rule, source),
        description: description(rule, source),
        severity: rule.severity,
        cvss: None,
        cwe: vec![CWE],
        location: Location::File {
            path: source.path.to_owned(),
            line: u32::try_from(source.first_line + number - 1).ok(),
            column: u32::try_from(column).ok(),
            commit: source.commit.map(str::to_owned),
        },
        evidence: Some(masked(rule, &source.text[hit.value.clone()])),
        fix: Some(fix(rule)),
        references: Vec::new(),
        aliases: Vec::new(),
        package: None,
        status: if allowed { FindingStatus::Suppressed } else { FindingStatus::Open },
        fingerprint: fingerprint(source, hits, hit, line, occurrences),
    }
}

/// Tells the same credential of the same rule and path apart from others. It stays in memory.
pub fn identity(source: &Source<'_>, hit: &Hit) -> [u8; 16] {
    let value = Sha256::digest(&source.text[hit.value.clone()]);
    let digest = digest(&[hit.rule.id.as_bytes(), source.path.as_bytes(), &value]);
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

fn title(rule: &Rule, source: &Source<'_>) -> String {
    match source.commit {
        None => rule.title.to_owned(),
        Some(_) => format!("{} in the history", rule.title),
    }
}

fn description(rule: &Rule, source: &Source<'_>) -> String {
    let place = match source.commit {
        None => "it stands in this file in clear text",
        Some(_) => "it was added by this commit and stays in the history of the repository",
    };
    format!("{}: {place}, and whoever can read it can use it.", rule.title)
}

fn fix(rule: &Rule) -> String {
    format!(
        "Revoke it {}, issue a new one and keep that in a secret store or the environment. Taking \
         it out of the file is not enough: it stays in the history and in every copy. If it is no \
         secret, put the comment `millrace:allow` on its line.",
        rule.revoke
    )
}

/// At most the first four characters and never more than a quarter; nothing of what may be guessed.
fn masked(rule: &Rule, value: &[u8]) -> String {
    let shown = if rule.guessable { 0 } else { MAX_SHOWN.min(value.len() / 4) };
    let shown = value[..shown].iter().take_while(|byte| byte.is_ascii_graphic()).count();
    let mut text: String = value[..shown].iter().map(|byte| char::from(*byte)).collect();
    text.extend(std::iter::repeat_n('*', (value.len() - shown).min(MAX_STARS)));
    text
}

fn fingerprint(
    source: &Source<'_>,
    hits: &[Hit],
    hit: &Hit,
    line: Range<usize>,
    occurrences: &mut Occurrences,
) -> String {
    let about = if hit.rule.guessable {
        // Whoever knows the rest of a hash can try values: it is made of the masked line only,
        // and of the commit, because two values may have stood in the same line of a file.
        let mut about = source.commit.unwrap_or_default().as_bytes().to_vec();
        about.extend(masked_line(source.text, hits, line));
        about
    } else {
        Sha256::digest(&source.text[hit.value.clone()]).to_vec()
    };
    let base = digest(&[hit.rule.id.as_bytes(), source.path.as_bytes(), &about]);
    let occurrence = occurrences.0.entry(base).or_default();
    let full = digest(&[&base, &occurrence.to_be_bytes()]);
    *occurrence += 1;
    hex(&full[..16])
}

/// The line with every value masked to the same text and its white space evened out.
fn masked_line(text: &[u8], hits: &[Hit], line: Range<usize>) -> Vec<u8> {
    let mut masked = Vec::with_capacity(line.len());
    let mut at = line.start;
    let first = hits.partition_point(|hit| hit.value.end <= line.start);
    for hit in hits[first..].iter().take_while(|hit| hit.value.start < line.end) {
        masked.extend_from_slice(&text[at..hit.value.start.max(at)]);
        masked.push(b'*');
        at = hit.value.end.min(line.end);
    }
    masked.extend_from_slice(&text[at..line.end]);
    masked
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(&b' ')
}

/// Of parts that cannot run into each other.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
