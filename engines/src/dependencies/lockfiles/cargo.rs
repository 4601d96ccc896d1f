use serde::Deserialize;

use super::{LockFileError, Package, Packages, lines::numbers_of};

/// The newest format that Cargo writes.
const NEWEST: u32 = 4;

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    version: Option<u32>,
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    /// None for the packages of the workspace itself.
    #[serde(default)]
    source: Option<String>,
}

pub fn read(text: &str) -> Result<Packages, LockFileError> {
    let lock: Lock = toml::from_str(text)?;
    if let Some(version) = lock.version.filter(|version| *version > NEWEST) {
        return Err(LockFileError::Format(version.to_string()));
    }
    let lines = numbers_of(text, "[[package]]");
    let packages = lock
        .package
        .iter()
        .enumerate()
        .filter(|(_, package)| package.source.is_some())
        .map(|(at, package)| Package::new(&package.name, &package.version, lines.get(at).copied()))
        .collect();
    Ok(Packages { packages, unpinned: Vec::new() })
}
