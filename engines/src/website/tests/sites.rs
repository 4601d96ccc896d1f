use domain::scans::{EngineOutcome, Location, Profile, Severity};

use super::{
    Report, Scan,
    certificates::{Authority, names},
    scan,
    server::{Asked, Identity, Server, Stream, not_found, reply},
};

const WEAK_PAGE: &str = r#"<!doctype html><html><head>
<meta name="generator" content="WordPress 5.8.1">
<script src="https://cdn.example/lib.js?token=hidden-query"></script>
<script src="https://cdn.example/checked.js" integrity="sha384-abc" crossorigin></script>
<script src="/assets/app.js"></script>
</head><body>
<!-- <script src="https://comment.example/x.js"></script> -->
<form action="/login"><input type="text" name="u"><input type="password" name="p"></form>
</body></html>"#;

fn weak(asked: &Asked, stream: &mut dyn Stream) {
    let origin = asked.header("origin").unwrap_or("https://nobody.example");
    match (asked.method.as_str(), asked.path.as_str()) {
        ("OPTIONS", _) => reply(stream, "204 No Content", "Allow: GET, PUT, DELETE\r\n", b""),
        ("TRACE", _) => {
            reply(stream, "200 OK", "Content-Type: message/http\r\n", asked.raw.as_bytes());
        }
        (_, "/") => {
            let headers = format!(
                "Content-Type: text/html\r\nServer: Apache/2.4.41 (Ubuntu)\r\n\
                 X-Powered-By: PHP/7.2.1\r\nX-XSS-Protection: 1; mode=block\r\n\
                 Set-Cookie: PHPSESSID=s3cr3t-session-value; path=/\r\n\
                 Set-Cookie: __Host-a=s3cr3t-host-value; Domain=x.example; SameSite=None\r\n\
                 Set-Cookie: s3cr3t-nameless-value\r\n\
                 Access-Control-Allow-Origin: {origin}\r\n\
                 Access-Control-Allow-Credentials: true\r\n"
            );
            reply(stream, "200 OK", &headers, WEAK_PAGE.as_bytes());
        }
        (_, "/.git/config") => {
            reply(stream, "200 OK", "", b"[core]\n\trepositoryformatversion = 0\n\tbare = false\n");
        }
        (_, "/.git/HEAD") => reply(stream, "200 OK", "", b"ref: refs/heads/main\n"),
        (_, "/.env") => {
            reply(stream, "200 OK", "", b"# all\nDB_PASSWORD=s3cr3t-db\nAPI_KEY='s3cr3t-key'\n");
        }
        (_, "/backup.sql") => {
            reply(stream, "200 OK", "", b"-- MySQL dump 10.13\nCREATE TABLE `users` (\n");
        }
        (_, "/robots.txt") => reply(
            stream,
            "200 OK",
            "Content-Type: text/plain\r\n",
            b"User-agent: *\nDisallow: /admin/\nDisallow: /pictures/\n",
        ),
        (_, "/assets/") => reply(
            stream,
            "200 OK",
            "Content-Type: text/html\r\n",
            b"<html><head><title>Index of /assets</title></head></html>",
        ),
        _ => reply(
            stream,
            "500 Internal Server Error",
            "",
            b"Traceback (most recent call last):\n  File \"/srv/app.py\", line 1\n",
        ),
    }
}

const HARD_HEADERS: &str = "Content-Type: text/html; charset=utf-8\r\n\
    Strict-Transport-Security: max-age=63072000; includeSubDomains; preload\r\n\
    Content-Security-Policy: default-src 'self'; script-src 'nonce-r4nd' 'unsafe-inline'; frame-ancestors 'none'\r\n\
    X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
    Referrer-Policy: no-referrer\r\nPermissions-Policy: camera=()\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\nX-XSS-Protection: 0\r\nServer: web\r\n\
    Set-Cookie: __Host-sid=abc; Secure; HttpOnly; SameSite=Lax; Path=/\r\n\
    Set-Cookie: csrf_token=abc; Secure; SameSite=Strict\r\n\
    Set-Cookie: old=; Max-Age=0\r\n";

fn hard(asked: &Asked, stream: &mut dyn Stream) {
    match (asked.method.as_str(), asked.path.as_str()) {
        ("OPTIONS", _) => reply(stream, "204 No Content", "Allow: GET, HEAD\r\n", b""),
        ("TRACE", _) => reply(stream, "405 Method Not Allowed", "", b""),
        (_, "/") => {
            let page = b"<html><script src='/app.js'></script><form action='/in'><input type=password></form><img src='https://img.example/a.png'></html>";
            reply(stream, "200 OK", HARD_HEADERS, page);
        }
        (_, "/.well-known/security.txt") => reply(
            stream,
            "200 OK",
            "Content-Type: text/plain\r\n",
            b"Contact: mailto:security@localhost\nExpires: 2040-01-01T00:00:00Z\n",
        ),
        _ => not_found(stream),
    }
}

fn weak_report() -> Report {
    let server = Server::http(weak);
    scan(&server.url("http", "127.0.0.1"))
}

#[test]
fn a_weak_site_yields_its_weaknesses() {
    let report = weak_report();
    assert_eq!(
        report.rules(),
        [
            "clickjacking",
            "content-type-sniffing",
            "cookie-no-samesite",
            "cookie-not-httponly",
            "cookie-not-secure",
            "cookie-prefix-misuse",
            "cookie-samesite-none-insecure",
            "cors-any-origin",
            "cross-origin-opener-policy",
            "csp-missing",
            "directory-listing",
            "error-details",
            "exposed-backup",
            "exposed-repository",
            "exposed-secrets",
            "method-trace",
            "method-writing",
            "no-https",
            "password-over-http",
            "permissions-policy",
            "referrer-policy",
            "robots-sensitive-paths",
            "script-without-integrity",
            "security-txt-missing",
            "version-leak",
            "xss-filter-enabled",
        ]
    );
    assert_eq!(report.warnings(), []);
    let (outcome, summary) = report.done();
    assert_eq!(outcome, EngineOutcome::Completed);
    let count = report.findings().count();
    assert!(summary.contains(", http, ") && summary.ends_with(&format!("{count} findings")));
    assert_eq!(report.finding("cors-any-origin").severity, Severity::High);
    assert_eq!(report.findings().filter(|f| f.rule_id == "website.version-leak").count(), 3);
}

#[test]
fn secret_values_of_the_site_never_appear() {
    let text = weak_report().text();
    assert!(text.contains("PHPSESSID=****"), "{text}");
    assert!(text.contains("DB_PASSWORD=****, API_KEY=****"), "{text}");
    assert!(!text.contains("s3cr3t"), "{text}");
    assert!(!text.contains("hidden-query"), "{text}");
}

#[test]
fn every_finding_says_what_where_and_how_to_mend_it() {
    for finding in weak_report().findings() {
        assert!(finding.evidence.is_some() && finding.fix.is_some(), "{finding:?}");
        assert!(!finding.references.is_empty() && finding.fingerprint.len() == 32, "{finding:?}");
        let Location::Url { url, part } = &finding.location else { panic!("{finding:?}") };
        assert!(url.starts_with("http://127.0.0.1:") && part.is_some(), "{finding:?}");
    }
}

#[test]
fn a_second_scan_gives_the_same_fingerprints() {
    let server = Server::http(weak);
    let prints = || {
        let report = scan(&server.url("http", "127.0.0.1"));
        report.findings().map(|f| f.fingerprint.clone()).collect::<Vec<_>>()
    };
    let first = prints();
    assert_eq!(first, prints());
    let distinct: std::collections::HashSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), first.len());
}

#[test]
fn a_hardened_site_yields_nothing_above_info() {
    let authority = Authority::new();
    let identity = authority.issue(names(&["localhost"]));
    let server = Server::https(&identity, hard);
    let report =
        Scan { roots: authority.roots(), ..Scan::default() }.run(&server.url("https", "localhost"));
    assert_eq!(report.above_info(), Vec::<&str>::new());
    assert_eq!(report.warnings(), []);
    assert_eq!(report.outcome(), EngineOutcome::Completed);
    assert!(report.done().1.contains(", https, "));
}

#[test]
fn a_bare_site_over_https_lacks_transport_security_and_loads_mixed_content() {
    let identity = Identity::self_signed(names(&["localhost"]));
    let server = Server::https(&identity, |asked, stream| match asked.path.as_str() {
        "/" => reply(
            stream,
            "200 OK",
            "Content-Type: text/html\r\nContent-Security-Policy: script-src * 'unsafe-inline' 'unsafe-eval'\r\n",
            b"<script src=http://x.example/a.js></script><img src=http://x.example/a.png>\
              <form action='http://x.example/in'><input type=password></form>",
        ),
        _ => not_found(stream),
    });
    let report = scan(&server.url("https", "localhost"));
    let rules = report.rules();
    for rule in [
        "certificate-self-signed",
        "hsts-missing",
        "csp-wildcard",
        "csp-unsafe-inline",
        "csp-unsafe-eval",
        "mixed-content-active",
        "mixed-content-passive",
        "form-over-http",
        "password-over-http",
    ] {
        assert!(rules.contains(&rule), "{rule} is not in {rules:?}");
    }
    assert!(!rules.contains(&"no-https"));
}

#[test]
fn a_site_that_answers_200_to_everything_exposes_no_files() {
    let server = Server::http(|asked, stream| {
        let page = format!(
            "<html><title>Welcome</title><p>[core] repositoryformatversion {} phpinfo() PHP Version \
             Apache Server Status swagger-ui Error Log for Index of /</p></html>",
            asked.path
        );
        reply(stream, "200 OK", "Content-Type: text/html\r\n", page.as_bytes());
    });
    let report = scan(&server.url("http", "127.0.0.1"));
    let exposed: Vec<&str> = report
        .rules()
        .into_iter()
        .filter(|rule| {
            rule.starts_with("exposed") || rule.contains("listing") || rule.contains("api-")
        })
        .collect();
    assert_eq!(exposed, Vec::<&str>::new());
    assert_eq!(report.outcome(), EngineOutcome::Completed);
}

#[test]
fn a_quick_scan_asks_less_than_a_full_one() {
    let server = Server::http(|_, stream| not_found(stream));
    let requests = |profile| {
        let report = Scan { profile, ..Scan::default() }.run(&server.url("http", "127.0.0.1"));
        let (_, summary) = report.done();
        summary.split(' ').next().unwrap().parse::<u32>().unwrap()
    };
    let (quick, full) = (requests(Profile::Quick), requests(Profile::Full));
    assert!(quick < 30 && full > quick && full < 80, "{quick} and {full}");
}

#[test]
fn the_number_of_findings_is_bounded() {
    let server = Server::http(weak);
    let mut few = Scan::default();
    few.limits.max_findings = 3;
    let report = few.run(&server.url("http", "127.0.0.1"));
    assert_eq!(report.findings().count(), 3);
    assert!(report.warns("too-many-findings"));
    assert_eq!(report.outcome(), EngineOutcome::Partial);
}
