//! Folders whose content the server lists.

use std::collections::BTreeSet;

use domain::scans::{Finding, Severity};
use hyper::StatusCode;
use url::Url;

use super::MAX_BODY_BYTES;
use crate::website::{
    client::Request,
    document::Document,
    response::Response,
    rule::Rule,
    session::{Session, Stop},
};

/// Folders of the page that are looked at, besides the usual ones.
const MAX_OWN_FOLDERS: usize = 4;
const USUAL_FOLDERS: [&str; 4] = ["/uploads/", "/backup/", "/files/", "/static/"];

const LISTING: Rule = Rule {
    id: "website.directory-listing",
    title: "The server lists the files of a folder",
    description: "A listing shows files that no page links to, such as backups and uploads of others.",
    severity: Severity::Medium,
    cwe: &[548],
    fix: "Switch listings off in the server, for example with `autoindex off` or `Options -Indexes`.",
    references: &[
        "https://owasp.org/www-project-web-security-testing-guide/latest/4-Web_Application_Security_Testing/02-Configuration_and_Deployment_Management_Testing/",
    ],
};

pub(in crate::website) fn check_page(answer: &Response) -> Option<Finding> {
    if answer.status != StatusCode::OK || !answer.is_html() {
        return None;
    }
    let text = answer.text().to_ascii_lowercase();
    const TITLES: [&str; 4] = [
        "<title>index of /",
        "<h1>index of /",
        "<title>directory listing for /",
        "<title>listing directory /",
    ];
    let title = TITLES.into_iter().find(|title| text.contains(title))?;
    let evidence = format!("the page holds `{title}`");
    Some(LISTING.found(&answer.url, &format!("path:{}", answer.url.path()), &evidence))
}

/// The folders that the page loads files of its own site from, and the usual ones.
pub(in crate::website) fn folders(document: Option<&Document>, root: &Url) -> Vec<Url> {
    let tags = document.iter().flat_map(|document| {
        ["script", "img"]
            .into_iter()
            .flat_map(|name| document.named(name).filter_map(|tag| document.address(tag, "src")))
    });
    let own: BTreeSet<Url> = tags
        .filter(|address| address.origin() == root.origin())
        .filter_map(|address| address.join(".").ok())
        .filter(|folder| folder.path() != "/")
        .collect();
    let usual = USUAL_FOLDERS.iter().filter_map(|path| root.join(path).ok());
    let mut folders: Vec<Url> = own.into_iter().take(MAX_OWN_FOLDERS).collect();
    for folder in usual {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

pub(super) async fn check_folders(
    session: &mut Session<'_>,
    folders: &[Url],
    nothing: &Response,
) -> Result<(), Stop> {
    if check_page(nothing).is_some() {
        return Ok(());
    }
    for folder in folders {
        if let Some(answer) = session.ask(&Request::get(folder, MAX_BODY_BYTES)).await? {
            session.report_all(check_page(&answer).into_iter().collect())?;
        }
    }
    Ok(())
}
