use std::cmp::Ordering;

/// A version of Semantic Versioning 2.0, ordered by precedence: what follows a `+` is not compared.
///
/// More is read than the specification allows, because registries hold more: a `v` in front, as Go
/// has it, and fewer than three numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Semantic(semver::Version);

impl Semantic {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V', '=']).unwrap_or(text);
        if let Ok(version) = semver::Version::parse(text) {
            return Some(Self(version));
        }
        let end = text.find(['-', '+']).unwrap_or(text.len());
        let (numbers, rest) = text.split_at(end);
        let mut parts = numbers.split('.').map(str::parse);
        let mut next = || parts.next().unwrap_or(Ok(0_u64)).ok();
        let (major, minor, patch) = (next()?, next()?, next()?);
        if parts.next().is_some() {
            return None;
        }
        semver::Version::parse(&format!("{major}.{minor}.{patch}{rest}")).ok().map(Self)
    }
}

impl Ord for Semantic {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp_precedence(&other.0)
    }
}

impl PartialOrd for Semantic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
