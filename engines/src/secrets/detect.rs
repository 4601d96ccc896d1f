use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{Regex, RegexBuilder};

use super::{rule::Rule, rules, value};

/// Bytes of a line that are looked at around a match; lines of packed code can be very long.
const LINE_CONTEXT: usize = 400;

/// Finds credentials in the bytes of one file.
pub struct Detector {
    keywords: AhoCorasick,
    /// For each keyword the rule it belongs to.
    owners: Vec<usize>,
    rules: Vec<(&'static Rule, Regex)>,
}

/// A credential in a text.
#[derive(Debug)]
pub struct Hit {
    pub rule: &'static Rule,
    /// The value that must not be shown.
    pub value: Range<usize>,
    /// Where the match starts.
    pub start: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    #[error("the rule `{rule}` cannot be read: {error}")]
    Pattern { rule: &'static str, error: Box<regex::Error> },
    #[error("the keywords of the rules cannot be read: {0}")]
    Keywords(#[from] aho_corasick::BuildError),
}

impl Detector {
    pub fn new() -> Result<Self, DetectorError> {
        let mut keywords = Vec::new();
        let mut owners = Vec::new();
        let mut compiled = Vec::new();
        for (index, rule) in rules::all().enumerate() {
            keywords.extend_from_slice(rule.keywords);
            owners.extend(rule.keywords.iter().map(|_| index));
            let regex =
                RegexBuilder::new(rule.pattern).unicode(false).build().map_err(|error| {
                    DetectorError::Pattern { rule: rule.id, error: Box::new(error) }
                })?;
            compiled.push((rule, regex));
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(keywords)?;
        Ok(Self { keywords, owners, rules: compiled })
    }

    /// The credentials of a text in the order of their places, at most `max`.
    pub fn find(&self, text: &[u8], max: usize) -> Vec<Hit> {
        let mut hits: Vec<Hit> = Vec::new();
        for index in self.candidates(text) {
            let (rule, regex) = &self.rules[index];
            let known = hits.len();
            for captures in regex.captures_iter(text) {
                let (Some(whole), Some(group)) = (captures.get(0), captures.get(1)) else {
                    continue;
                };
                let range = trimmed(text, group.range());
                if hits.len() >= max {
                    break;
                }
                if is_credential(rule, &text[range.clone()]) && !overlaps(&hits[..known], &range) {
                    let start = trimmed(text, whole.range()).start;
                    hits.push(Hit { rule, value: range, start });
                }
            }
            hits.sort_by_key(|hit| hit.value.start);
        }
        hits
    }

    /// The rules one of whose keywords stands in the text, in the order of the rules.
    fn candidates(&self, text: &[u8]) -> Vec<usize> {
        let mut wanted = vec![false; self.rules.len()];
        let mut missing = wanted.len();
        for found in self.keywords.find_overlapping_iter(text) {
            let rule = self.owners[found.pattern().as_usize()];
            if !wanted[rule] {
                wanted[rule] = true;
                missing -= 1;
                if missing == 0 {
                    break;
                }
            }
        }
        (0..wanted.len()).filter(|rule| wanted[*rule]).collect()
    }
}

/// The line around a match, cut to a bounded length.
pub fn line_around(text: &[u8], hit: &Hit) -> Range<usize> {
    let from = hit.start.saturating_sub(LINE_CONTEXT);
    let start = text[from..hit.start]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(from, |at| from + at + 1);
    let to = text.len().min(hit.value.end.saturating_add(LINE_CONTEXT));
    let end =
        text[hit.start..to].iter().position(|byte| *byte == b'\n').map_or(to, |at| hit.start + at);
    start..end
}

fn is_credential(rule: &Rule, bytes: &[u8]) -> bool {
    if value::is_placeholder(bytes, !rule.guessable) || value::entropy(bytes) < rule.min_entropy {
        return false;
    }
    !(rule.by_name && value::is_ordinary(bytes))
}

/// `hits` are sorted and do not overlap each other.
fn overlaps(hits: &[Hit], range: &Range<usize>) -> bool {
    let after = hits.partition_point(|hit| hit.value.end <= range.start);
    hits.get(after).is_some_and(|hit| hit.value.start < range.end)
}

fn trimmed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let bytes = &text[range.clone()];
    let lead = bytes.len() - bytes.trim_ascii_start().len();
    let tail = bytes.len() - bytes.trim_ascii_end().len();
    if lead == bytes.len() { range } else { range.start + lead..range.end - tail }
}
