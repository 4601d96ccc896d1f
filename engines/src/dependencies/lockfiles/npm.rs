use std::collections::BTreeMap;

use serde::Deserialize;

use super::{LockFileError, Package, Packages};

/// The file of npm, of the versions 1 to 3: 1 nests `dependencies`, 2 and 3 have `packages`.
#[derive(Deserialize)]
struct Lock {
    #[serde(default, rename = "lockfileVersion")]
    version: Option<u32>,
    #[serde(default)]
    packages: Option<BTreeMap<String, Installed>>,
    #[serde(default)]
    dependencies: BTreeMap<String, Nested>,
}

#[derive(Deserialize)]
struct Installed {
    /// Given when it differs from the folder.
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    link: bool,
}

#[derive(Deserialize)]
struct Nested {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, Nested>,
}

pub fn read(text: &str) -> Result<Packages, LockFileError> {
    let lock: Lock = serde_json::from_str(text)?;
    if let Some(version) = lock.version.filter(|version| *version > 3) {
        return Err(LockFileError::Format(version.to_string()));
    }
    let mut packages = Packages::default();
    match lock.packages {
        Some(installed) => {
            for (folder, package) in installed {
                add_installed(&folder, package, &mut packages);
            }
        }
        None => add_nested(lock.dependencies, &mut packages),
    }
    Ok(packages)
}

fn add_installed(folder: &str, package: Installed, packages: &mut Packages) {
    // What is not below `node_modules` is the project itself or a part of it.
    let Some((_, in_folder)) = folder.rsplit_once("node_modules/") else { return };
    if package.link {
        return;
    }
    let name = package.name.as_deref().unwrap_or(in_folder);
    match package.version {
        Some(version) => packages.packages.push(Package::new(name, &version, None)),
        None => packages.unpinned.push(name.to_owned()),
    }
}

/// The reader of JSON bounds how deep this goes.
fn add_nested(dependencies: BTreeMap<String, Nested>, packages: &mut Packages) {
    for (name, package) in dependencies {
        if let Some(version) = package.version {
            add_version(&name, &version, packages);
        }
        add_nested(package.dependencies, packages);
    }
}

fn add_version(name: &str, version: &str, packages: &mut Packages) {
    if let Some((name, version)) = version.strip_prefix("npm:").and_then(|v| v.rsplit_once('@')) {
        packages.packages.push(Package::new(name, version, None));
    } else if version.starts_with(|c: char| c.is_ascii_digit()) {
        packages.packages.push(Package::new(name, version, None));
    } else if !version.starts_with("file:") {
        packages.unpinned.push(name.to_owned());
    }
}
