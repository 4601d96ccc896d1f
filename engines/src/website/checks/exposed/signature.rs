//! How a file is told by its content. What is said of it never holds any of its values.

use std::sync::LazyLock;

use regex::Regex;

pub(super) enum Signature {
    /// Text that holds all of these, and is no page that quotes them.
    Text(&'static str, &'static [&'static str]),
    /// A page that holds all of these.
    Page(&'static str, &'static [&'static str]),
    Start(&'static str, &'static [u8]),
    Lines(&'static str, &'static LazyLock<Option<Regex>>),
    Environment,
}

macro_rules! pattern {
    ($name:ident, $text:literal) => {
        pub(super) static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}

pattern!(GIT_HEAD, r"\A(ref: refs/|[0-9a-f]{40}\s*\z)");
pattern!(SVN_ENTRIES, r"\A([4-9]|1[0-9])\r?\n(\z|\r?\ndir\b)");
pattern!(
    PASSWORD_FILE,
    r"(?m)^[^\s:<>]{1,64}:(\$(apr1|2[aby]|5|6)\$|\{SHA\}|[./0-9A-Za-z]{13}\r?$)"
);
pattern!(
    SQL_DUMP,
    r"(?mi)^(CREATE TABLE |INSERT INTO |-- (MySQL|MariaDB|PostgreSQL) (database )?dump)"
);
pattern!(PRIVATE_KEY, r"\A\s*-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----");
pattern!(COMPOSE_FILE, r"(?m)^services:\s*$(?s:.*)^\s+(image|build):");
pattern!(NPM_CONFIGURATION, r"(?m)^(//\S+:)?_(authToken|auth|password)\s*=");
pattern!(API_DOCUMENT, r#"\A\s*\{(?s:.*)"(swagger|openapi)"\s*:\s*"[0-9]"#);
pattern!(ASSIGNMENT, r"^\s*(?:export\s+)?([A-Z_][A-Z0-9_]{1,60})\s*=");

impl Signature {
    /// A few words about what the body is, when it is what was looked for.
    pub fn describe(&self, body: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(body);
        let holds = |words: &[&str]| words.iter().all(|word| text.contains(word));
        let (what, fits) = match self {
            Self::Text(what, words) => (what, !is_page(&text) && holds(words)),
            Self::Page(what, words) => (what, holds(words)),
            Self::Start(what, start) => (what, body.starts_with(start)),
            Self::Lines(what, pattern) => {
                let fits = pattern.as_ref().is_some_and(|pattern| pattern.is_match(&text));
                (what, fits && !is_page(&text))
            }
            Self::Environment => return describe_environment(&text),
        };
        fits.then(|| (*what).to_owned())
    }
}

fn is_page(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with('<') && !text.starts_with("<?php")
}

/// Most lines have to be assignments to names in capitals: other text with an equals sign is no such
/// file.
fn describe_environment(text: &str) -> Option<String> {
    const MAX_NAMES: usize = 5;
    let assignment = ASSIGNMENT.as_ref()?;
    let lines =
        || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let names: Vec<&str> = lines()
        .filter_map(|line| assignment.captures(line)?.get(1).map(|name| name.as_str()))
        .collect();
    if is_page(text) || names.is_empty() || names.len() * 2 <= lines().count() {
        return None;
    }
    let shown = names[..names.len().min(MAX_NAMES)].join("=****, ");
    Some(format!("an environment file that sets {shown}=****"))
}
