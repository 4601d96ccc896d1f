use std::{cmp::Ordering, sync::LazyLock};

use regex::{Captures, Regex};

/// A version of a Python package as PEP 440 has it.
#[derive(Debug, Clone, Eq)]
pub struct Pep440 {
    epoch: u64,
    /// Without zeros at the end: 1.0 and 1.0.0 are one version.
    release: Vec<u64>,
    pre: Pre,
    post: Option<u64>,
    dev: Dev,
    local: Vec<Local>,
}

/// In the order of releases: `1.0.dev1`, `1.0a1`, `1.0rc1`, `1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pre {
    DevelopmentOnly,
    Alpha(u64),
    Beta(u64),
    Candidate(u64),
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Dev {
    Number(u64),
    None,
}

/// Numbers come after words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Local {
    Word(String),
    Number(u64),
}

const PATTERN: &str = r"(?xi-u)
    ^v? (?:(?<epoch>[0-9]+)!)?
    (?<release>[0-9]+(?:\.[0-9]+)*)
    (?:[-_.]?(?<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?<pre_n>[0-9]*))?
    (?:-(?<post_implied>[0-9]+)|[-_.]?(?<post>post|rev|r)[-_.]?(?<post_n>[0-9]*))?
    (?:[-_.]?(?<dev>dev)[-_.]?(?<dev_n>[0-9]*))?
    (?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?$";

static VERSION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(PATTERN).ok());

impl Pep440 {
    pub fn parse(text: &str) -> Option<Self> {
        let parts = VERSION.as_ref()?.captures(text.trim())?;
        let mut release =
            parts.name("release")?.as_str().split('.').map(number).collect::<Option<Vec<_>>>()?;
        while release.len() > 1 && release.last() == Some(&0) {
            release.pop();
        }
        let post = match parts.name("post_implied") {
            Some(implied) => Some(number(implied.as_str())?),
            None => tagged(&parts, "post", "post_n")?,
        };
        let dev = match tagged(&parts, "dev", "dev_n")? {
            Some(dev) => Dev::Number(dev),
            None => Dev::None,
        };
        Some(Self {
            epoch: parts.name("epoch").map_or(Some(0), |epoch| number(epoch.as_str()))?,
            release,
            pre: pre(&parts, post.is_none() && dev != Dev::None)?,
            post,
            dev,
            local: local(parts.name("local").map_or("", |local| local.as_str())),
        })
    }

    fn key(&self) -> impl Ord {
        (self.epoch, &self.release, self.pre, self.post, self.dev, &self.local)
    }
}

impl Ord for Pep440 {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Pep440 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pep440 {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

fn pre(parts: &Captures<'_>, development_only: bool) -> Option<Pre> {
    let Some(n) = tagged(parts, "pre", "pre_n")? else {
        return Some(if development_only { Pre::DevelopmentOnly } else { Pre::None });
    };
    Some(match parts["pre"].to_ascii_lowercase().as_str() {
        "a" | "alpha" => Pre::Alpha(n),
        "b" | "beta" => Pre::Beta(n),
        _ => Pre::Candidate(n),
    })
}

/// The number after a tag, 0 when the tag stands alone. None inside when the tag is absent.
fn tagged(parts: &Captures<'_>, tag: &str, digits: &str) -> Option<Option<u64>> {
    if parts.name(tag).is_none() {
        return Some(None);
    }
    match parts.name(digits).map_or("", |digits| digits.as_str()) {
        "" => Some(Some(0)),
        digits => number(digits).map(Some),
    }
}

fn local(text: &str) -> Vec<Local> {
    text.split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .map(|part| match number(part) {
            Some(value) => Local::Number(value),
            None => Local::Word(part.to_ascii_lowercase()),
        })
        .collect()
}

fn number(digits: &str) -> Option<u64> {
    digits.parse().ok()
}
