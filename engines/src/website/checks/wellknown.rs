//! `security.txt` and `robots.txt`.

use domain::scans::Severity;
use hyper::StatusCode;
use url::Url;

use crate::website::{
    client::Request,
    rule::Rule,
    session::{Session, Stop},
    show,
};

const MAX_BODY_BYTES: usize = 64 * 1024;
const MAX_LINES: usize = 2_000;

const SECURITY_TXT: Rule = Rule {
    id: "website.security-txt-missing",
    title: "Nobody is named for reports of weaknesses",
    description: "Without `/.well-known/security.txt` a person who finds a weakness does not know whom to tell.",
    severity: Severity::Info,
    cwe: &[],
    fix: "Publish `/.well-known/security.txt` with `Contact` and `Expires`.",
    references: &["https://www.rfc-editor.org/rfc/rfc9116"],
};

const ROBOTS: Rule = Rule {
    id: "website.robots-sensitive-paths",
    title: "robots.txt points at paths that look sensitive",
    description: "The file is public and keeps nobody out; what it hides from search engines it shows to attackers.",
    severity: Severity::Info,
    cwe: &[200],
    fix: "Protect such paths by authorisation, and keep pages from search engines by `X-Robots-Tag: noindex` instead.",
    references: &["https://www.rfc-editor.org/rfc/rfc9309"],
};

const SENSITIVE: [&str; 16] = [
    "admin",
    "backup",
    "private",
    "secret",
    "config",
    "internal",
    "staging",
    "debug",
    "database",
    "dump",
    ".git",
    ".env",
    "phpmyadmin",
    "console",
    "credential",
    "password",
];

pub(in crate::website) async fn check(session: &mut Session<'_>, root: &Url) -> Result<(), Stop> {
    let contact = text_of(session, root, "/.well-known/security.txt").await?;
    if contact.is_some_and(|text| !text.to_ascii_lowercase().contains("contact:")) {
        let evidence = "/.well-known/security.txt names no contact or does not exist";
        session.report(SECURITY_TXT.found(root, "path:/.well-known/security.txt", evidence))?;
    }
    let Some(robots) = text_of(session, root, "/robots.txt").await? else { return Ok(()) };
    let paths = sensitive_paths(&robots);
    if !paths.is_empty() {
        let evidence = format!("disallowed: {}", show::list(&paths));
        session.report(ROBOTS.found(root, "path:/robots.txt", &evidence))?;
    }
    Ok(())
}

/// The file, empty when there is none; `None` when that cannot be told.
async fn text_of(
    session: &mut Session<'_>,
    root: &Url,
    path: &str,
) -> Result<Option<String>, Stop> {
    let Ok(url) = root.join(path) else { return Ok(None) };
    let answer = session.ask(&Request::get(&url, MAX_BODY_BYTES)).await?;
    let answer = answer.filter(|answer| !answer.status.is_redirection());
    Ok(answer.map(|answer| {
        let is_file = answer.status == StatusCode::OK && !answer.is_html();
        if is_file { answer.text() } else { String::new() }
    }))
}

fn sensitive_paths(robots: &str) -> Vec<String> {
    let rules = robots.lines().take(MAX_LINES).filter_map(|line| line.split_once(':'));
    let mut paths: Vec<String> = rules
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("disallow"))
        .map(|(_, path)| path.split('#').next().unwrap_or_default().trim())
        .filter(|path| {
            let path = path.to_ascii_lowercase();
            SENSITIVE.iter().any(|word| path.contains(word))
        })
        .map(show::text)
        .collect();
    paths.sort();
    paths.dedup();
    paths
}
