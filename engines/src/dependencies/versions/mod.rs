//! Versions of packages and their order, as each ecosystem has it.

mod pep440;
mod semantic;

use std::cmp::Ordering;

pub use pep440::Pep440;
pub use semantic::Semantic;

use crate::advisories::Ecosystem;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    Semantic(Semantic),
    Pep440(Pep440),
}

impl Version {
    /// None when the text is no version of the ecosystem.
    pub fn parse(ecosystem: Ecosystem, text: &str) -> Option<Self> {
        match ecosystem {
            Ecosystem::CratesIo | Ecosystem::Go | Ecosystem::Npm => {
                Semantic::parse(text).map(Self::Semantic)
            }
            Ecosystem::PyPI => Pep440::parse(text).map(Self::Pep440),
        }
    }

    /// Versions of different ecosystems cannot be compared.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Semantic(a), Self::Semantic(b)) => Some(a.cmp(b)),
            (Self::Pep440(a), Self::Pep440(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}
