use super::{LockFileError, Package, Packages};

/// The entry that is being read.
struct Entry<'a> {
    line: usize,
    header: &'a str,
    version: Option<&'a str>,
    /// Of the newer format: `name@npm:1.0.0`.
    resolution: Option<&'a str>,
}

/// The classic format and the newer one, which differ in the form of their lines:
/// `version "1.0.0"` and `version: 1.0.0`.
pub fn read(text: &str) -> Result<Packages, LockFileError> {
    let mut packages = Packages::default();
    let mut entry: Option<Entry<'_>> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            let header = content.strip_suffix(':').ok_or(LockFileError::Line {
                line: number,
                reason: "neither an entry nor a part of one",
            })?;
            if let Some(done) =
                entry.replace(Entry { line: number, header, version: None, resolution: None })
            {
                finish(&done, &mut packages)?;
            }
        } else if let Some(entry) = &mut entry
            && line.starts_with("  ")
            && !line.starts_with("   ")
            && let Some((key, value)) = content.split_once(' ')
        {
            match key.trim_end_matches(':') {
                "version" => entry.version = Some(unquoted(value)),
                "resolution" => entry.resolution = Some(unquoted(value)),
                _ => {}
            }
        }
    }
    if let Some(done) = entry {
        finish(&done, &mut packages)?;
    }
    Ok(packages)
}

fn finish(entry: &Entry<'_>, packages: &mut Packages) -> Result<(), LockFileError> {
    if entry.header == "__metadata" {
        return Ok(());
    }
    let bad = |reason| LockFileError::Line { line: entry.line, reason };
    let version = entry.version.ok_or_else(|| bad("an entry without a version"))?;
    // Every pattern of a header stands for the same package.
    let pattern = unquoted(entry.header.split(", ").next().unwrap_or_default());
    let (name, reference) =
        split(entry.resolution.unwrap_or(unquoted(pattern))).ok_or_else(|| bad("no name"))?;
    if ["workspace:", "link:", "portal:", "file:"].iter().any(|own| reference.starts_with(own)) {
        return Ok(());
    }
    // Of an alias the name behind `npm:` counts: `short@npm:real@^1.0.0`.
    let real = reference.strip_prefix("npm:").and_then(split).map_or(name, |(real, _)| real);
    packages.packages.push(Package::new(real, version, u32::try_from(entry.line).ok()));
    Ok(())
}

/// `@scope/name@reference` to its two parts.
fn split(pattern: &str) -> Option<(&str, &str)> {
    let at = pattern.get(1..)?.find('@')? + 1;
    Some((&pattern[..at], &pattern[at + 1..]))
}

fn unquoted(text: &str) -> &str {
    text.trim_matches('"')
}
