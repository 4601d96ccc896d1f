use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

const MAX_LINES: usize = 400;
const NOT_OURS: [&str; 3] = ["target", ".git", ".millrace"];

/// Path and text of every source below the workspace with one of the extensions.
pub fn sources(extensions: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    walk(Path::new("."), extensions, &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn walk(folder: &Path, extensions: &[&str], found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if NOT_OURS.iter().any(|name| path.ends_with(name)) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            walk(&path, extensions, found);
        } else if path.extension().is_some_and(|own| extensions.iter().any(|wanted| own == *wanted))
        {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix("./").unwrap().to_owned(), text));
        }
    }
}

#[test]
fn only_the_journal_names_the_events_table() {
    let table =
        Regex::new(r"(?i)\b(into|from|join|update|table|truncate)\s+(public\.)?events\b").unwrap();
    none(sources(&["rs", "sql"]), |path, text| {
        let code = |line: &&str| !line.trim_start().starts_with("//");
        let line = text.lines().filter(code).find(|line| table.is_match(line));
        let exempt = path.starts_with("journal") || path.iter().any(|part| part == "tests");
        line.filter(|_| !exempt).map(|line| line.trim().to_owned())
    });
}

#[test]
fn files_stay_small_enough_to_read() {
    none(sources(&["rs"]), |_, text| {
        let lines = text.lines().count();
        (lines > MAX_LINES).then(|| format!("{lines} lines; divide it"))
    });
}

#[test]
fn nothing_is_left_to_be_fixed_later() {
    let note = Regex::new(concat!(r"\b(FIX", "ME|TO", "DO|XX", r"X)\b")).unwrap();
    none(sources(&["rs", "sql", "sh", "yml"]), |_, text| {
        text.lines().find(|line| note.is_match(line)).map(|line| line.trim().to_owned())
    });
}

fn none(sources: Vec<(PathBuf, String)>, fault: impl Fn(&Path, &str) -> Option<String>) {
    let faults: Vec<_> = sources
        .iter()
        .filter_map(|(path, text)| Some(format!("{}: {}", path.display(), fault(path, text)?)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
