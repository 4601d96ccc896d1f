//! Content Security Policy: whether it keeps injected scripts from running.

use domain::scans::{Finding, Severity};

use crate::website::{document::Document, response::Response, rule::Rule};

const HEADER: &str = "content-security-policy";
const REFERENCES: &[&str] = &[
    "https://cheatsheetseries.owasp.org/cheatsheets/Content_Security_Policy_Cheat_Sheet.html",
    "https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CSP",
];

const MISSING: Rule = Rule {
    id: "website.csp-missing",
    title: "There is no Content Security Policy",
    description: "Nothing keeps a script that was smuggled into the page from running with all rights of the visitor.",
    severity: Severity::Medium,
    cwe: &[693, 79],
    fix: "Send a Content-Security-Policy that names the sources of scripts, for example `default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'`.",
    references: REFERENCES,
};

const UNRESTRICTED: Rule = Rule {
    id: "website.csp-scripts-unrestricted",
    title: "The Content Security Policy does not limit scripts",
    description: "The policy has neither `script-src` nor `default-src`, so scripts may come from anywhere.",
    fix: "Add `script-src` or `default-src` with the sources that the site needs.",
    ..MISSING
};

const UNSAFE_INLINE: Rule = Rule {
    id: "website.csp-unsafe-inline",
    title: "The Content Security Policy allows inline scripts",
    description: "`'unsafe-inline'` lets any script that was smuggled into the page run, which is what the policy should prevent.",
    fix: "Move inline scripts to files, or allow them by a nonce or hash, and drop `'unsafe-inline'`.",
    ..MISSING
};

const UNSAFE_EVAL: Rule = Rule {
    id: "website.csp-unsafe-eval",
    title: "The Content Security Policy allows code from text",
    description: "`'unsafe-eval'` lets scripts turn text into code, so text that an attacker controls may be run.",
    severity: Severity::Low,
    cwe: &[693, 95],
    fix: "Replace `eval` and its like in the scripts of the site and drop `'unsafe-eval'`.",
    references: REFERENCES,
};

const WILDCARD: Rule = Rule {
    id: "website.csp-wildcard",
    title: "The Content Security Policy allows scripts from everywhere",
    description: "A source such as `*`, `https:` or `data:` lets an attacker load a script from a place of their own.",
    fix: "Name the hosts that scripts come from, or use nonces with `'strict-dynamic'`.",
    ..MISSING
};

/// The policies in force; a fault counts only when no other policy makes up for it.
pub(super) fn check(page: &Response, document: Option<&Document>) -> Vec<Finding> {
    let mut policies = header_policies(page);
    policies.extend(document.and_then(|document| document.policy()));
    let part = format!("header:{HEADER}");
    if policies.is_empty() {
        let evidence = match page.header("content-security-policy-report-only") {
            Some(_) => "there is only a policy that reports and does not enforce",
            None => "the answer has no Content-Security-Policy",
        };
        return vec![MISSING.found(&page.url, &part, evidence)];
    }
    let sources: Vec<Vec<String>> = policies.iter().filter_map(|p| script_sources(p)).collect();
    let all = |is_weak: fn(&[String]) -> bool| sources.iter().all(|list| is_weak(list));
    let faults: &[(&Rule, bool)] = if sources.is_empty() {
        &[(&UNRESTRICTED, true)]
    } else {
        &[
            (&WILDCARD, all(allows_any_host)),
            (&UNSAFE_INLINE, all(allows_inline)),
            (&UNSAFE_EVAL, all(allows_eval)),
        ]
    };
    let evidence = policies.join(" | ");
    let faults = faults.iter().filter(|(_, is_there)| *is_there);
    faults.map(|(rule, _)| rule.found(&page.url, &part, &evidence)).collect()
}

/// Only a header can limit who frames a page.
pub(super) fn limits_frames(page: &Response) -> bool {
    header_policies(page).iter().any(|policy| {
        directive(policy, "frame-ancestors")
            .is_some_and(|list| !list.iter().any(|s| is_anything(s)))
    })
}

fn header_policies(page: &Response) -> Vec<String> {
    let values = page.header_values(HEADER);
    let policies = values.iter().flat_map(|value| value.split(','));
    policies.map(|policy| policy.trim().to_owned()).filter(|policy| !policy.is_empty()).collect()
}

fn script_sources(policy: &str) -> Option<Vec<String>> {
    directive(policy, "script-src-elem")
        .or_else(|| directive(policy, "script-src"))
        .or_else(|| directive(policy, "default-src"))
}

/// The sources of a directive in lower case; of repeated ones the first counts.
fn directive(policy: &str, name: &str) -> Option<Vec<String>> {
    policy.split(';').find_map(|part| {
        let mut words = part.split_ascii_whitespace();
        words.next().filter(|word| word.eq_ignore_ascii_case(name))?;
        Some(words.map(str::to_ascii_lowercase).collect())
    })
}

fn is_anything(source: &str) -> bool {
    matches!(source, "*" | "http:" | "https:" | "http://*" | "https://*")
}

fn allows_any_host(sources: &[String]) -> bool {
    // With it, a browser takes no notice of hosts and schemes.
    let is_strict = sources.iter().any(|source| source == "'strict-dynamic'");
    !is_strict && sources.iter().any(|source| is_anything(source) || source == "data:")
}

fn allows_inline(sources: &[String]) -> bool {
    let has = |prefix: &str| sources.iter().any(|source| source.starts_with(prefix));
    // A nonce or hash makes browsers take no notice of 'unsafe-inline'.
    let is_overruled = has("'nonce-") || has("'sha") || has("'strict-dynamic'");
    has("'unsafe-inline'") && !is_overruled
}

fn allows_eval(sources: &[String]) -> bool {
    sources.iter().any(|source| source == "'unsafe-eval'")
}
