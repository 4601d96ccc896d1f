//! Lock files, and the packages that they name.

mod cargo;
mod go;
mod lines;
mod npm;
mod pnpm;
mod python;
mod requirements;
mod yarn;

pub use go::STANDARD_LIBRARY as GO_STANDARD_LIBRARY;

use crate::advisories::Ecosystem;

/// Packages read from one file.
const MAX_PACKAGES: usize = 100_000;

/// Longer names and versions are taken as damage.
const MAX_NAME: usize = 500;

/// A package with the version that a lock file settled on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub line: Option<u32>,
}

/// What a lock file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Packages {
    pub packages: Vec<Package>,
    /// Names without a settled version, so that nothing can be said of them.
    pub unpinned: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    #[error("it is not UTF-8 text")]
    NotText,
    #[error("it is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is no TOML: {0}")]
    Toml(String),
    #[error("line {line}: {reason}")]
    Line { line: usize, reason: &'static str },
    #[error("the version {0} of its format is not known")]
    Format(String),
    #[error("it does not look like one")]
    Shape,
    #[error("it names more than {MAX_PACKAGES} packages")]
    TooMany,
}

/// The kinds of lock files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Cargo,
    PackageLock,
    Yarn,
    Pnpm,
    Requirements,
    Poetry,
    Pipfile,
    Uv,
    Pdm,
    GoMod,
    GoSum,
}

impl Kind {
    pub fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"Cargo.lock" => Self::Cargo,
            b"package-lock.json" | b"npm-shrinkwrap.json" => Self::PackageLock,
            b"yarn.lock" => Self::Yarn,
            b"pnpm-lock.yaml" => Self::Pnpm,
            b"poetry.lock" => Self::Poetry,
            b"Pipfile.lock" => Self::Pipfile,
            b"uv.lock" => Self::Uv,
            b"pdm.lock" => Self::Pdm,
            b"go.mod" => Self::GoMod,
            b"go.sum" => Self::GoSum,
            _ if is_requirements(name) => Self::Requirements,
            _ => return None,
        })
    }

    pub const fn ecosystem(self) -> Ecosystem {
        match self {
            Self::Cargo => Ecosystem::CratesIo,
            Self::PackageLock | Self::Yarn | Self::Pnpm => Ecosystem::Npm,
            Self::Requirements | Self::Poetry | Self::Pipfile | Self::Uv | Self::Pdm => {
                Ecosystem::PyPI
            }
            Self::GoMod | Self::GoSum => Ecosystem::Go,
        }
    }

    pub fn read(self, bytes: &[u8]) -> Result<Packages, LockFileError> {
        let text = std::str::from_utf8(bytes).map_err(|_| LockFileError::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut packages = match self {
            Self::Cargo => cargo::read(text),
            Self::PackageLock => npm::read(text),
            Self::Yarn => yarn::read(text),
            Self::Pnpm => pnpm::read(text),
            Self::Requirements => Ok(requirements::read(text)),
            Self::Poetry | Self::Uv | Self::Pdm => python::read(text),
            Self::Pipfile => python::read_pipfile(text),
            Self::GoMod => go::read_mod(text),
            Self::GoSum => go::read_sum(text),
        }?;
        let sane = |text: &str| !text.is_empty() && text.len() <= MAX_NAME;
        packages.packages.retain(|package| sane(&package.name) && sane(&package.version));
        if packages.packages.len() > MAX_PACKAGES {
            return Err(LockFileError::TooMany);
        }
        Ok(packages)
    }
}

impl Package {
    fn new(name: &str, version: &str, line: Option<u32>) -> Self {
        Self { name: name.to_owned(), version: version.to_owned(), line }
    }
}

impl From<toml::de::Error> for LockFileError {
    fn from(error: toml::de::Error) -> Self {
        // Shown in full it quotes the file.
        Self::Toml(error.message().to_owned())
    }
}

/// `requirements.txt`, `requirements-dev.txt`, `dev-requirements.txt`.
fn is_requirements(name: &[u8]) -> bool {
    name.strip_suffix(b".txt").is_some_and(|stem| {
        stem == b"requirements"
            || stem.starts_with(b"requirements-")
            || stem.starts_with(b"requirements_")
            || stem.starts_with(b"requirements.")
            || stem.ends_with(b"-requirements")
            || stem.ends_with(b"_requirements")
    })
}
