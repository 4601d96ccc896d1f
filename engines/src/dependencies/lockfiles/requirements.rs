use super::{Package, Packages};

/// Requirements that are pinned with `==` are packages; of the others nothing can be said.
pub fn read(text: &str) -> Packages {
    let mut packages = Packages::default();
    let mut continued = false;
    for (number, line) in (1..).zip(text.lines()) {
        let begins = !continued;
        continued = line.trim_end().ends_with('\\');
        let line = without_comment(line).trim().trim_end_matches('\\').trim();
        if begins && !line.is_empty() {
            add(line, number, &mut packages);
        }
    }
    packages
}

fn add(line: &str, number: u32, packages: &mut Packages) {
    if line.starts_with('-') {
        // Other files that are named like this are read for themselves.
        let editable = line.strip_prefix("-e").or_else(|| line.strip_prefix("--editable"));
        if let Some(target) = editable
            && target.contains("://")
        {
            packages.unpinned.push(shown(target));
        }
        return;
    }
    // Markers and the hashes of the files say nothing about the version.
    let requirement = line.split(';').next().unwrap_or_default();
    let requirement = requirement.split(" --").next().unwrap_or_default().trim();
    match pinned(requirement) {
        Some((name, version)) => {
            packages.packages.push(Package::new(name, version, Some(number)));
        }
        None => packages.unpinned.push(shown(requirement)),
    }
}

fn pinned(requirement: &str) -> Option<(&str, &str)> {
    let (name, version) = requirement.split_once("==")?;
    let version = version.trim_start_matches('=').trim();
    let name = name.split('[').next()?.trim();
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let is_one = !version.is_empty() && !version.contains(['*', ',', ' ']);
    (is_name && is_one).then_some((name, version))
}

/// A number sign begins a comment at the start of a line or after white space.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    let end = line.match_indices('#').find(|(at, _)| line[..*at].ends_with([' ', '\t']));
    end.map_or(line, |(at, _)| &line[..at])
}

/// The name alone: an address may hold credentials.
fn shown(requirement: &str) -> String {
    let requirement = requirement.trim();
    if requirement.split('@').next().is_some_and(|name| name.contains("://")) {
        return "a package from an address".to_owned();
    }
    let is_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let name: String = requirement.chars().take_while(|c| is_name(*c)).take(100).collect();
    if name.is_empty() { "a requirement without a name".to_owned() } else { name }
}
