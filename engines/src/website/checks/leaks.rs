//! What a site tells about the software behind it.

use std::sync::LazyLock;

use domain::scans::{Finding, Severity};
use regex::Regex;

use crate::website::{document::Document, response::Response, rule::Rule};

const VERSION: Rule = Rule {
    id: "website.version-leak",
    title: "The site names the version of its software",
    description: "Exact versions let an attacker pick the weaknesses that fit, without trying.",
    severity: Severity::Low,
    cwe: &[200, 497],
    fix: "Switch the version off in the configuration of the server or framework.",
    references: &[
        "https://owasp.org/www-project-secure-headers/",
        "https://www.rfc-editor.org/rfc/rfc9110#section-10.2.4",
    ],
};

const SOFTWARE: Rule = Rule {
    id: "website.software-leak",
    title: "The site names the software it runs on",
    description: "The names of frameworks make it easier to pick attacks.",
    severity: Severity::Info,
    ..VERSION
};

const ERROR_DETAILS: Rule = Rule {
    id: "website.error-details",
    title: "An error page shows the inside of the application",
    description: "Stack traces and debug pages tell about code, paths and libraries, and at times hold secrets.",
    severity: Severity::Medium,
    cwe: &[209, 550],
    fix: "Switch debug mode off in production and answer errors with a plain page; keep the details in the log.",
    references: &["https://cheatsheetseries.owasp.org/cheatsheets/Error_Handling_Cheat_Sheet.html"],
};

/// Headers that are of use to nobody but the curious.
const NAMING_HEADERS: [&str; 5] =
    ["x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator", "x-runtime-version"];

static HAS_VERSION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\d+\.\d+").ok());

/// Traces of errors, and what shows each of them.
const TRACES: [(&str, &str); 12] = [
    ("Traceback (most recent call last)", "a Python trace"),
    ("Werkzeug Debugger", "the Werkzeug debugger"),
    ("You're seeing this error because you have <code>DEBUG = True</code>", "a Django debug page"),
    ("Whoops! There was an error", "a Laravel debug page"),
    ("Fatal error</b>:", "a PHP error"),
    ("Stack trace:\n#0", "a PHP trace"),
    ("[NullReferenceException", "a .NET trace"),
    ("Server Error in '/' Application", "an ASP.NET error page"),
    ("\tat java.", "a Java trace"),
    ("\tat org.", "a Java trace"),
    ("goroutine 1 [running]", "a Go trace"),
    ("at Function.Module._load", "a Node.js trace"),
];

pub(in crate::website) fn check(page: &Response, document: Option<&Document>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(server) = page.header("server").filter(|value| has_version(value)) {
        findings.push(header(&VERSION, page, "server", &server));
    }
    for name in NAMING_HEADERS {
        if let Some(value) = page.header(name) {
            let rule = if has_version(&value) { &VERSION } else { &SOFTWARE };
            findings.push(header(rule, page, name, &value));
        }
    }
    let generator = document.and_then(|document| document.meta("generator"));
    if let Some(generator) = generator.filter(|value| has_version(value)) {
        findings.push(VERSION.found(&page.url, "meta:generator", &generator));
    }
    findings
}

pub(in crate::website) fn error_details(answer: &Response) -> Option<Finding> {
    let text = answer.text();
    let (_, shown) = TRACES.iter().find(|(trace, _)| text.contains(trace))?;
    let evidence = format!("the answer with status {} shows {shown}", answer.status.as_u16());
    Some(ERROR_DETAILS.found(&answer.url, "page:error", &evidence))
}

fn header(rule: &Rule, page: &Response, name: &str, value: &str) -> Finding {
    rule.found(&page.url, &format!("header:{name}"), &format!("{name}: {value}"))
}

fn has_version(text: &str) -> bool {
    HAS_VERSION.as_ref().is_some_and(|version| version.is_match(text))
}
