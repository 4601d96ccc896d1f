use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Table;

use super::{LockFileError, Package, Packages, lines::numbers_of};

/// The files of Poetry, uv and PDM have their packages alike.
#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    source: Option<Table>,
    /// PDM: a folder of the project.
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    git: Option<String>,
}

pub fn read(text: &str) -> Result<Packages, LockFileError> {
    let lock: Lock = toml::from_str(text)?;
    let lines = numbers_of(text, "[[package]]");
    let mut packages = Packages::default();
    for (at, package) in lock.package.into_iter().enumerate() {
        if package.is_own() {
            continue;
        }
        match package.version {
            Some(version) => {
                packages.packages.push(Package::new(
                    &package.name,
                    &version,
                    lines.get(at).copied(),
                ));
            }
            None => packages.unpinned.push(package.name),
        }
    }
    Ok(packages)
}

impl Locked {
    /// A part of the project that has the lock file.
    fn is_own(&self) -> bool {
        let Some(source) = &self.source else { return self.path.is_some() && self.git.is_none() };
        ["virtual", "editable", "directory"].iter().any(|own| source.contains_key(*own))
            || source.get("type").and_then(|kind| kind.as_str()) == Some("directory")
    }
}

#[derive(Deserialize)]
struct PipfileLock {
    #[serde(default)]
    default: BTreeMap<String, Pinned>,
    #[serde(default)]
    develop: BTreeMap<String, Pinned>,
}

#[derive(Deserialize)]
struct Pinned {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    path: Option<String>,
}

pub fn read_pipfile(text: &str) -> Result<Packages, LockFileError> {
    let lock: PipfileLock = serde_json::from_str(text)?;
    let mut packages = Packages::default();
    for (name, pinned) in lock.default.into_iter().chain(lock.develop) {
        match pinned.version.as_deref().and_then(|version| version.strip_prefix("==")) {
            Some(version) => packages.packages.push(Package::new(&name, version, None)),
            None if pinned.path.is_some() => {}
            None => packages.unpinned.push(name),
        }
    }
    Ok(packages)
}
