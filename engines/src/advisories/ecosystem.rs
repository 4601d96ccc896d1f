use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A package registry whose advisories are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ecosystem {
    #[serde(rename = "crates.io")]
    CratesIo,
    Go,
    #[serde(rename = "npm")]
    Npm,
    PyPI,
}

impl Ecosystem {
    pub const ALL: [Self; 4] = [Self::CratesIo, Self::Go, Self::Npm, Self::PyPI];

    /// The name that OSV has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CratesIo => "crates.io",
            Self::Go => "Go",
            Self::Npm => "npm",
            Self::PyPI => "PyPI",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ecosystem| ecosystem.as_str() == text)
    }

    /// The name of its manifest in a store.
    pub fn manifest(self) -> String {
        format!("{}.json", self.stem())
    }

    /// What the names of its files begin with.
    pub(super) fn stem(self) -> String {
        self.as_str().to_lowercase()
    }

    /// The one spelling of a package's name.
    pub fn normalized(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::PyPI => Cow::Owned(pypi_name(name)),
            Self::CratesIo | Self::Go | Self::Npm => Cow::Borrowed(name),
        }
    }
}

/// As PEP 503 has it: lower case, with `-` for every run of `-`, `_` and `.`.
fn pypi_name(name: &str) -> String {
    let mut normalized = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '-' | '_' | '.') {
            if !normalized.ends_with('-') {
                normalized.push('-');
            }
        } else {
            normalized.extend(character.to_lowercase());
        }
    }
    normalized
}
