//! Attributes of cookies. The value of a cookie never leaves this file.

use std::collections::HashSet;

use domain::scans::{Finding, Severity};

use crate::website::{response::Response, rule::Rule};

const MAX_COOKIES: usize = 50;
const REFERENCES: &[&str] = &[
    "https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie",
    "https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html",
];

const NOT_SECURE: Rule = Rule {
    id: "website.cookie-not-secure",
    title: "A cookie may travel over plain HTTP",
    description: "Without the attribute `Secure` a browser sends the cookie over unencrypted connections too, where it can be read and set by others.",
    severity: Severity::Low,
    cwe: &[614],
    fix: "Set the cookie with `Secure` over HTTPS.",
    references: REFERENCES,
};

const NOT_HTTP_ONLY: Rule = Rule {
    id: "website.cookie-not-httponly",
    title: "A cookie can be read by scripts",
    description: "Without the attribute `HttpOnly` a script that was smuggled into the page can read and send away the cookie.",
    severity: Severity::Low,
    cwe: &[1004],
    fix: "Set the cookie with `HttpOnly` unless a script of the site has to read it.",
    references: REFERENCES,
};

const NO_SAME_SITE: Rule = Rule {
    id: "website.cookie-no-samesite",
    title: "A cookie does not say whether other sites may make use of it",
    description: "Without the attribute `SameSite` it is left to the browser whether requests that come from other sites carry the cookie.",
    severity: Severity::Low,
    cwe: &[1275],
    fix: "Set the cookie with `SameSite=Lax` or `SameSite=Strict`.",
    references: REFERENCES,
};

const NONE_INSECURE: Rule = Rule {
    id: "website.cookie-samesite-none-insecure",
    title: "A cookie for all sites is not marked Secure",
    description: "A cookie with `SameSite=None` goes along with requests from every site; without `Secure` browsers refuse it or send it in the clear.",
    severity: Severity::Medium,
    cwe: &[1275, 614],
    fix: "Add `Secure`, or use `SameSite=Lax`.",
    references: REFERENCES,
};

const PREFIX_MISUSE: Rule = Rule {
    id: "website.cookie-prefix-misuse",
    title: "The prefix of a cookie does not fit its attributes",
    description: "`__Host-` needs `Secure`, `Path=/` and no `Domain`; `__Secure-` needs `Secure`. Browsers refuse other cookies of these names, and old ones give no protection.",
    severity: Severity::Low,
    cwe: &[614],
    fix: "Set the attributes that the prefix demands.",
    references: REFERENCES,
};

struct Cookie {
    name: String,
    is_secure: bool,
    is_http_only: bool,
    same_site: Option<String>,
    path: Option<String>,
    domain: Option<String>,
    is_deletion: bool,
}

pub(in crate::website) fn check(answer: &Response) -> Vec<Finding> {
    let mut names = HashSet::new();
    let headers = answer.header_values("set-cookie");
    let cookies = headers.iter().take(MAX_COOKIES).map(|header| parse(header));
    cookies
        .filter(|cookie| !cookie.is_deletion && names.insert(cookie.name.clone()))
        .flat_map(|cookie| judge(answer, &cookie))
        .collect()
}

fn judge(answer: &Response, cookie: &Cookie) -> Vec<Finding> {
    let part = format!("cookie:{}", cookie.name);
    let evidence = masked(cookie);
    let severity = if is_session(&cookie.name) { Severity::Medium } else { Severity::Low };
    let mut findings = Vec::new();
    let mut add = |rule: &Rule, severity| {
        findings.push(rule.found_as(severity, &answer.url, &part, &evidence));
    };
    if !cookie.is_secure {
        add(&NOT_SECURE, severity);
    }
    if !cookie.is_http_only && !is_for_scripts(&cookie.name) {
        add(&NOT_HTTP_ONLY, severity);
    }
    match cookie.same_site.as_deref() {
        Some("strict" | "lax") => {}
        Some("none") if cookie.is_secure => {}
        Some("none") => add(&NONE_INSECURE, NONE_INSECURE.severity),
        _ => add(&NO_SAME_SITE, NO_SAME_SITE.severity),
    }
    if misuses_prefix(cookie) {
        add(&PREFIX_MISUSE, PREFIX_MISUSE.severity);
    }
    findings
}

fn parse(header: &str) -> Cookie {
    let mut parts = header.split(';').map(str::trim);
    // Without `=` the whole is the value of a cookie that has no name.
    let name = parts.next().and_then(|pair| pair.split_once('=')).map(|(name, _)| name.trim());
    let mut cookie = Cookie {
        name: name.filter(|name| !name.is_empty()).unwrap_or("(without a name)").to_owned(),
        is_secure: false,
        is_http_only: false,
        same_site: None,
        path: None,
        domain: None,
        is_deletion: false,
    };
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        match attribute.trim().to_ascii_lowercase().as_str() {
            "secure" => cookie.is_secure = true,
            "httponly" => cookie.is_http_only = true,
            "samesite" => cookie.same_site = Some(value.to_ascii_lowercase()),
            "path" => cookie.path = Some(value.to_owned()),
            "domain" if !value.is_empty() => cookie.domain = Some(value.to_owned()),
            "max-age" => cookie.is_deletion |= value.starts_with(['0', '-']),
            "expires" => cookie.is_deletion |= value.contains("1970"),
            _ => {}
        }
    }
    cookie
}

/// The header again, from the attributes that are known to hold no secret.
fn masked(cookie: &Cookie) -> String {
    let mut text = format!("{}=****", cookie.name);
    let same_site = match cookie.same_site.as_deref() {
        Some("strict") => Some("Strict"),
        Some("lax") => Some("Lax"),
        Some("none") => Some("None"),
        _ => None,
    };
    let attributes = [
        ("; Path=", cookie.path.as_deref()),
        ("; Domain=", cookie.domain.as_deref()),
        ("; SameSite=", same_site),
        ("; Secure", cookie.is_secure.then_some("")),
        ("; HttpOnly", cookie.is_http_only.then_some("")),
    ];
    for (attribute, value) in attributes {
        if let Some(value) = value {
            text.push_str(attribute);
            text.push_str(value);
        }
    }
    text
}

fn is_session(name: &str) -> bool {
    const WORDS: [&str; 8] = ["sess", "sid", "auth", "token", "jwt", "login", "remember", "user"];
    let name = name.to_ascii_lowercase();
    !is_for_scripts(&name) && WORDS.iter().any(|word| name.contains(word))
}

/// Tokens against forged requests are made to be read by scripts.
fn is_for_scripts(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("csrf") || name.contains("xsrf")
}

fn misuses_prefix(cookie: &Cookie) -> bool {
    let name = cookie.name.to_ascii_lowercase();
    let host_only = cookie.domain.is_none() && cookie.path.as_deref() == Some("/");
    (name.starts_with("__host-") && !(cookie.is_secure && host_only))
        || (name.starts_with("__secure-") && !cookie.is_secure)
}
