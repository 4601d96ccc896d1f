use super::{LockFileError, Package, Packages};

/// Only the keys of the section `packages` are read, which hold all that is needed:
/// `/name/1.0.0` up to version 5 of the format, `/name@1.0.0` in 6, `name@1.0.0` in 9.
pub fn read(text: &str) -> Result<Packages, LockFileError> {
    let mut packages = Packages::default();
    let mut format = None;
    let mut inside = false;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(version) = line.strip_prefix("lockfileVersion:") {
            format = Some(version.trim().trim_matches(['\'', '"']));
        }
        if !line.starts_with([' ', '#']) && !line.trim().is_empty() {
            inside = line.trim_end() == "packages:";
            continue;
        }
        let Some(key) = inside.then(|| key(line)).flatten() else { continue };
        match split(key) {
            Some((name, version)) => {
                packages.packages.push(Package::new(name, version, u32::try_from(number).ok()));
            }
            // A tarball or a repository, whose address may hold credentials.
            None => packages.unpinned.push("a package from an address".to_owned()),
        }
    }
    match format {
        Some(format) if format.starts_with(['5', '6', '7', '9']) => Ok(packages),
        Some(format) => Err(LockFileError::Format(format.to_owned())),
        None => Err(LockFileError::Shape),
    }
}

/// The key of a line that is indented by two: `  /name@1.0.0:`, which may be quoted.
fn key(line: &str) -> Option<&str> {
    let key = line.strip_prefix("  ").filter(|rest| !rest.starts_with([' ', '#']))?;
    let key = key.trim_end();
    let key = key.strip_suffix(": {}").or_else(|| key.strip_suffix(':'))?;
    Some(key.trim_matches(['\'', '"']))
}

fn split(key: &str) -> Option<(&str, &str)> {
    let key = key.strip_prefix('/').unwrap_or(key);
    // What follows names the peers that it was resolved with.
    let key = key.split('(').next()?;
    let scope = if key.starts_with('@') { key.find('/')? + 1 } else { 0 };
    let end = scope + key[scope..].find(['@', '/'])?;
    let (name, version) = (&key[..end], key[end + 1..].split('_').next()?);
    version.starts_with(|c: char| c.is_ascii_digit()).then_some((name, version))
}
