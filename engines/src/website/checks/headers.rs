//! Response headers that switch on protection of the browser.

use domain::scans::{Finding, Severity};

use super::csp;
use crate::website::{document::Document, response::Response, rule::Rule};

/// A year.
const MIN_HSTS_SECONDS: u64 = 31_536_000;

const HSTS_MISSING: Rule = Rule {
    id: "website.hsts-missing",
    title: "HTTP Strict Transport Security is not set",
    description: "Browsers may still use plain HTTP for this site, so an attacker on the network can keep a visitor from ever reaching HTTPS.",
    severity: Severity::Medium,
    cwe: &[319, 523],
    fix: "Send `Strict-Transport-Security: max-age=31536000; includeSubDomains` on every HTTPS answer.",
    references: &[
        "https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Strict-Transport-Security",
        "https://www.rfc-editor.org/rfc/rfc6797",
    ],
};

const HSTS_SHORT: Rule = Rule {
    id: "website.hsts-short",
    title: "HTTP Strict Transport Security ends too early",
    description: "The promise to use HTTPS is kept for less than a year, so a visitor who comes back late is unprotected on the first request.",
    severity: Severity::Low,
    ..HSTS_MISSING
};

const HSTS_SUBDOMAINS: Rule = Rule {
    id: "website.hsts-no-subdomains",
    title: "HTTP Strict Transport Security leaves out subdomains",
    description: "Subdomains may still be reached over plain HTTP and can set cookies for this site.",
    severity: Severity::Info,
    ..HSTS_MISSING
};

const CONTENT_TYPE_OPTIONS: Rule = Rule {
    id: "website.content-type-sniffing",
    title: "Browsers may guess the type of content",
    description: "Without `X-Content-Type-Options: nosniff` a browser may run an uploaded file as a script or page although it was served as something else.",
    severity: Severity::Low,
    cwe: &[693],
    fix: "Send `X-Content-Type-Options: nosniff` on every answer.",
    references: &[
        "https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Content-Type-Options",
    ],
};

const CLICKJACKING: Rule = Rule {
    id: "website.clickjacking",
    title: "The page may be framed by any site",
    description: "Another site can show this page in an invisible frame and make visitors click in it without knowing.",
    severity: Severity::Medium,
    cwe: &[1021],
    fix: "Send `Content-Security-Policy: frame-ancestors 'self'`, and `X-Frame-Options: SAMEORIGIN` for old browsers.",
    references: &[
        "https://cheatsheetseries.owasp.org/cheatsheets/Clickjacking_Defense_Cheat_Sheet.html",
        "https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Frame-Options",
    ],
};

const REFERRER_POLICY: Rule = Rule {
    id: "website.referrer-policy",
    title: "Addresses of pages may be given to other sites",
    description: "Without a strict referrer policy the address of a page, with whatever its query holds, can reach the sites it links to.",
    severity: Severity::Low,
    cwe: &[200],
    fix: "Send `Referrer-Policy: strict-origin-when-cross-origin` or a stricter one.",
    references: &[
        "https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Referrer-Policy",
    ],
};

const PERMISSIONS_POLICY: Rule = Rule {
    id: "website.permissions-policy",
    title: "Features of the browser are not limited",
    description: "Without a Permissions-Policy, scripts and frames of the page may ask for the camera, the location and other features that the site does not need.",
    severity: Severity::Info,
    cwe: &[693],
    fix: "Send a `Permissions-Policy` that switches off what the site does not use.",
    references: &[
        "https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Permissions-Policy",
    ],
};

const OPENER_POLICY: Rule = Rule {
    id: "website.cross-origin-opener-policy",
    title: "The page shares its browsing context with other sites",
    description: "Without a Cross-Origin-Opener-Policy, a site that opens this page keeps a handle to its window.",
    severity: Severity::Info,
    cwe: &[346],
    fix: "Send `Cross-Origin-Opener-Policy: same-origin`.",
    references: &[
        "https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Cross-Origin-Opener-Policy",
    ],
};

const XSS_FILTER: Rule = Rule {
    id: "website.xss-filter-enabled",
    title: "The XSS filter of old browsers is switched on",
    description: "The filter was removed from browsers because it could be abused to leak content; it protects nobody today.",
    severity: Severity::Info,
    cwe: &[1104],
    fix: "Send `X-XSS-Protection: 0` or leave the header out, and use a Content-Security-Policy.",
    references: &[
        "https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-XSS-Protection",
    ],
};

pub(in crate::website) fn check(page: &Response, document: Option<&Document>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(strict_transport(page));
    let nosniff = page.header("x-content-type-options").unwrap_or_default();
    if !nosniff.eq_ignore_ascii_case("nosniff") {
        findings.push(absent(&CONTENT_TYPE_OPTIONS, page, "x-content-type-options", &nosniff));
    }
    let filter = page.header("x-xss-protection").unwrap_or_default();
    if filter.starts_with('1') {
        findings.push(absent(&XSS_FILTER, page, "x-xss-protection", &filter));
    }
    if page.is_html() {
        findings.extend(csp::check(page, document));
        findings.extend(document_headers(page, document));
    }
    findings
}

fn strict_transport(page: &Response) -> Vec<Finding> {
    // Browsers take no notice of it for plain HTTP and for bare addresses.
    if page.url.scheme() != "https" || page.url.domain().is_none() {
        return Vec::new();
    }
    const NAME: &str = "strict-transport-security";
    // Only the first of several headers counts.
    let Some(value) = page.header_values(NAME).into_iter().next() else {
        return vec![absent(&HSTS_MISSING, page, NAME, "")];
    };
    let lower = value.to_ascii_lowercase();
    let directives = || lower.split(';').map(str::trim);
    let seconds = directives()
        .find_map(|directive| directive.strip_prefix("max-age"))
        .and_then(|rest| rest.trim_start().strip_prefix('='))
        .and_then(|number| number.trim().trim_matches('"').parse::<u64>().ok());
    match seconds {
        None | Some(0) => vec![absent(&HSTS_MISSING, page, NAME, &value)],
        Some(seconds) if seconds < MIN_HSTS_SECONDS => {
            vec![absent(&HSTS_SHORT, page, NAME, &value)]
        }
        Some(_) if !directives().any(|directive| directive == "includesubdomains") => {
            vec![absent(&HSTS_SUBDOMAINS, page, NAME, &value)]
        }
        Some(_) => Vec::new(),
    }
}

fn document_headers(page: &Response, document: Option<&Document>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let frames = page.header("x-frame-options").unwrap_or_default();
    let is_framed_by_few = frames
        .split(',')
        .any(|value| matches!(value.trim().to_ascii_lowercase().as_str(), "deny" | "sameorigin"));
    if !is_framed_by_few && !csp::limits_frames(page) {
        findings.push(absent(&CLICKJACKING, page, "x-frame-options", &frames));
    }
    let in_page = || document.and_then(|document| document.meta("referrer"));
    let referrer = page.header("referrer-policy").or_else(in_page).unwrap_or_default();
    // The last policy that a browser knows is the one it uses.
    let used = referrer.rsplit(',').next().unwrap_or_default().trim().to_ascii_lowercase();
    if matches!(used.as_str(), "" | "unsafe-url" | "no-referrer-when-downgrade") {
        findings.push(absent(&REFERRER_POLICY, page, "referrer-policy", &referrer));
    }
    for (rule, name) in [
        (&PERMISSIONS_POLICY, "permissions-policy"),
        (&OPENER_POLICY, "cross-origin-opener-policy"),
    ] {
        if page.header(name).is_none() {
            findings.push(absent(rule, page, name, ""));
        }
    }
    findings
}

fn absent(rule: &Rule, page: &Response, name: &str, value: &str) -> Finding {
    let evidence = match value {
        "" => format!("the answer has no `{name}`"),
        _ => format!("{name}: {value}"),
    };
    rule.found(&page.url, &format!("header:{name}"), &evidence)
}
