use std::collections::HashMap;

use super::{LockFileError, Package, Packages};

/// What a module is replaced by: none when it is a folder of the project.
type Replacement<'a> = Option<(&'a str, &'a str)>;

/// The modules that `go.mod` requires, indirect ones included, with their replacements.
pub fn read_mod(text: &str) -> Result<Packages, LockFileError> {
    let mut required = Vec::new();
    let mut replaced = HashMap::new();
    let mut named = false;
    let mut block = None;
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
    Ok(Packages { packages: packages.collect(), unpinned: Vec::new() })
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
