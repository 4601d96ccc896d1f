use std::collections::HashMap;

use super::{LockFileError, Package, Packages};

/// The name that OSV has for Go's standard library.
pub const STANDARD_LIBRARY: &str = "stdlib";

/// What a module is replaced by: none when it is a folder of the project.
type Replacement<'a> = Option<(&'a str, &'a str)>;

/// The modules that `go.mod` requires, indirect ones included, with their replacements, and the
/// standard library.
pub fn read_mod(text: &str) -> Result<Packages, LockFileError> {
    let mut required = Vec::new();
    let mut replaced = HashMap::new();
    let mut named = false;
    let mut block = None;
    let (mut language, mut toolchain) = (None, None);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split("//").next().unwrap_or_default().trim();
        let bad = |reason| LockFileError::Line { line: number, reason };
        if line == ")" {
            block = None;
            continue;
        }
        let (directive, rest) = match block {
            Some(directive) => (directive, line),
            None => line.split_once([' ', '\t']).unwrap_or((line, "")),
        };
        if block.is_none() && rest.trim() == "(" {
            block = Some(directive);
            continue;
        }
        let words: Vec<_> =
            rest.split_whitespace().map(|word| word.trim_matches(['"', '`'])).collect();
        match (directive, words.as_slice()) {
            ("module", _) => named = true,
            ("go", [version]) => language = Some((number, *version)),
            ("toolchain", [name]) => toolchain = Some((number, *name)),
            ("require", [module, version]) => required.push((number, *module, *version)),
            ("replace", words) if !words.is_empty() => {
                let (old, new) = replacement(words).ok_or_else(|| bad("not a replacement"))?;
                replaced.insert(old, new);
            }
            ("require", [_, ..]) => return Err(bad("not a module and its version")),
            _ => {}
        }
    }
    if !named {
        return Err(LockFileError::Shape);
    }
    let packages = required.into_iter().filter_map(|(number, module, version)| {
        let line = u32::try_from(number).ok();
        let new = replaced.get(&(module, Some(version))).or_else(|| replaced.get(&(module, None)));
        let (module, version) = new.copied().unwrap_or(Some((module, version)))?;
        Some(Package::new(module, version, line))
    });
    let mut packages = Packages { packages: packages.collect(), unpinned: Vec::new() };
    add_standard_library(&mut packages, language, toolchain);
    Ok(packages)
}

/// The module is built with the toolchain it names, or else with the release its `go` line names, or
/// with a newer one that is there. A `go` line may name the language alone (`1.22`), and then the
/// release is whatever is installed.
fn add_standard_library(
    packages: &mut Packages,
    language: Option<(usize, &str)>,
    toolchain: Option<(usize, &str)>,
) {
    let settled = |named: Option<(usize, &str)>| {
        let (number, name) = named?;
        Some((u32::try_from(number).ok(), release(name)?))
    };
    if let Some((line, version)) = settled(toolchain).or_else(|| settled(language)) {
        packages.packages.push(Package::new(STANDARD_LIBRARY, &version, line));
    } else if language.is_some() {
        packages.unpinned.push(STANDARD_LIBRARY.to_owned());
    }
}

/// A release of Go as advisories have it: `go1.22.3` is 1.22.3, and `1.23rc1` is 1.23.0-rc.1. What
/// follows a dash names a build of the same release.
fn release(name: &str) -> Option<String> {
    let name = name.strip_prefix("go").unwrap_or(name);
    let name = name.split_once('-').map_or(name, |(release, _build)| release);
    let numbers = |text: &str| text.split('.').all(|part| part.parse::<u32>().is_ok());
    if numbers(name) {
        return (name.split('.').count() == 3).then(|| name.to_owned());
    }
    ["rc", "beta"].into_iter().find_map(|kind| {
        let (language, number) = name.split_once(kind)?;
        let sound = numbers(language) && language.split('.').count() == 2 && numbers(number);
        sound.then(|| format!("{language}.0-{kind}.{number}"))
    })
}

/// `old v1.0.0 => new v1.2.3`, where both versions may be absent.
fn replacement<'a>(words: &[&'a str]) -> Option<((&'a str, Option<&'a str>), Replacement<'a>)> {
    let arrow = words.iter().position(|word| *word == "=>")?;
    let old = match &words[..arrow] {
        [module] => (*module, None),
        [module, version] => (*module, Some(*version)),
        _ => return None,
    };
    match &words[arrow + 1..] {
        [_folder] => Some((old, None)),
        [module, version] => Some((old, Some((module, version)))),
        _ => None,
    }
}

/// The modules whose content `go.sum` has a hash of. It may list more than are used.
pub fn read_sum(text: &str) -> Result<Packages, LockFileError> {
    let mut packages = Packages::default();
    for (number, line) in (1_u32..).zip(text.lines()) {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [] => {}
            [_, version, _] if version.ends_with("/go.mod") => {}
            [module, version, _] => {
                packages.packages.push(Package::new(module, version, Some(number)));
            }
            _ => {
                let reason = "not a module, its version and a hash";
                return Err(LockFileError::Line { line: number as usize, reason });
            }
        }
    }
    Ok(packages)
}
