//! What a page loads and where its forms go.

use std::collections::BTreeMap;

use domain::scans::{Finding, Severity};
use url::Url;

use crate::website::{document::Document, html::Tag, response::Response, rule::Rule, show};

const MIXED_REFERENCES: &[&str] =
    &["https://developer.mozilla.org/en-US/docs/Web/Security/Defenses/Mixed_content"];

const MIXED_ACTIVE: Rule = Rule {
    id: "website.mixed-content-active",
    title: "A page over HTTPS loads code over plain HTTP",
    description: "Whoever controls the network can replace a script, style sheet or frame that is loaded over plain HTTP and so take over the page. Browsers block most of these.",
    severity: Severity::Medium,
    cwe: &[319, 830],
    fix: "Load everything over HTTPS, and send `Content-Security-Policy: upgrade-insecure-requests` while old links remain.",
    references: MIXED_REFERENCES,
};

const MIXED_PASSIVE: Rule = Rule {
    id: "website.mixed-content-passive",
    title: "A page over HTTPS loads media over plain HTTP",
    description: "Images, sound and video that are loaded over plain HTTP can be watched and replaced on the network.",
    severity: Severity::Low,
    cwe: &[319],
    fix: "Load everything over HTTPS.",
    references: MIXED_REFERENCES,
};

const FORM_OVER_HTTP: Rule = Rule {
    id: "website.form-over-http",
    title: "A form sends its content over plain HTTP",
    description: "What visitors enter in this form of an HTTPS page is sent in the clear.",
    severity: Severity::Medium,
    cwe: &[319],
    fix: "Let the form send to an `https:` address.",
    references: MIXED_REFERENCES,
};

const PASSWORD_OVER_HTTP: Rule = Rule {
    id: "website.password-over-http",
    title: "A password is asked for or sent over plain HTTP",
    description: "Whoever can watch the network reads the password; whoever can change traffic can have it sent elsewhere.",
    severity: Severity::High,
    cwe: &[319, 523],
    fix: "Serve pages with password fields over HTTPS only, and let their forms send to HTTPS.",
    references: &[
        "https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html",
        "https://developer.mozilla.org/en-US/docs/Web/Security",
    ],
};

const NO_INTEGRITY: Rule = Rule {
    id: "website.script-without-integrity",
    title: "A script of another host is loaded without an integrity check",
    description: "When that host is taken over or changes the script, the changed script runs with all rights of this site.",
    severity: Severity::Low,
    cwe: &[353, 829],
    fix: "Serve the script yourself, or load a fixed version with `integrity` and `crossorigin`.",
    references: &[
        "https://developer.mozilla.org/en-US/docs/Web/Security/Defenses/Subresource_Integrity",
    ],
};

/// Attributes that make a browser load something as soon as it reads the page.
const ACTIVE: [(&str, &str); 4] =
    [("script", "src"), ("iframe", "src"), ("object", "data"), ("embed", "src")];
const PASSIVE: [(&str, &str); 4] =
    [("img", "src"), ("audio", "src"), ("video", "src"), ("source", "src")];

pub(in crate::website) fn check(page: &Response, document: &Document) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(passwords(page, document));
    if page.url.scheme() == "https" {
        let mut active = plain_addresses(document, &ACTIVE);
        let sheets = document.named("link").filter(|tag| is_style_sheet(tag));
        active.extend(sheets.filter_map(|tag| plain(document, tag, "href")));
        findings.extend(listed(&MIXED_ACTIVE, page, "page:active-content", &active));
        let passive = plain_addresses(document, &PASSIVE);
        findings.extend(listed(&MIXED_PASSIVE, page, "page:passive-content", &passive));
        let forms = plain_addresses(document, &[("form", "action")]);
        findings.extend(listed(&FORM_OVER_HTTP, page, "page:form", &forms));
    }
    findings.extend(scripts_without_integrity(page, document));
    findings
}

fn passwords(page: &Response, document: &Document) -> Option<Finding> {
    let is_password = |tag: &Tag| {
        tag.attribute("type").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("password"))
    };
    // Tags come in the order of the page: a field belongs to the form that was opened last.
    let mut target = page.url.clone();
    for tag in &document.tags {
        if tag.name == "form" {
            target = document.address(tag, "action").unwrap_or_else(|| page.url.clone());
        }
        let is_plain = page.url.scheme() == "http" || target.scheme() == "http";
        if tag.name == "input" && is_password(tag) && is_plain {
            let (from, to) = (show::url(&page.url), show::url(&target));
            let evidence = format!("the page {from} has a password field that is sent to {to}");
            return Some(PASSWORD_OVER_HTTP.found(&page.url, "page:password", &evidence));
        }
    }
    None
}

fn plain_addresses(document: &Document, loads: &[(&str, &str)]) -> Vec<String> {
    let loads = loads.iter().flat_map(|(name, attribute)| {
        document.named(name).filter_map(move |tag| plain(document, tag, attribute))
    });
    loads.collect()
}

fn plain(document: &Document, tag: &Tag, attribute: &str) -> Option<String> {
    let address = document.address(tag, attribute)?;
    (address.scheme() == "http").then(|| show::url(&address))
}

fn is_style_sheet(tag: &Tag) -> bool {
    tag.attribute("rel").is_some_and(|rel| rel.to_ascii_lowercase().contains("stylesheet"))
}

fn listed(rule: &Rule, page: &Response, part: &str, items: &[String]) -> Option<Finding> {
    (!items.is_empty()).then(|| rule.found(&page.url, part, &show::list(items)))
}

/// One finding for each other host.
fn scripts_without_integrity(page: &Response, document: &Document) -> Vec<Finding> {
    let mut by_host: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tag in document.named("script") {
        let is_checked = tag.attribute("integrity").is_some_and(|value| !value.trim().is_empty());
        let Some(address) = document.address(tag, "src").filter(|_| !is_checked) else { continue };
        if let Some(host) = foreign_host(&address, &page.url) {
            by_host.entry(host.to_owned()).or_default().push(show::url(&address));
        }
    }
    let found = by_host.iter().map(|(host, scripts)| {
        NO_INTEGRITY.found(&page.url, &format!("script:{host}"), &show::list(scripts))
    });
    found.collect()
}

fn foreign_host<'a>(address: &'a Url, page: &Url) -> Option<&'a str> {
    let is_web = matches!(address.scheme(), "http" | "https");
    address.host_str().filter(|_| is_web && address.origin() != page.origin())
}
