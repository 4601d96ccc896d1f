//! Checks of a single answer, without a server.

use domain::scans::Finding;
use hyper::{HeaderMap, StatusCode, header::HeaderName};
use url::Url;

use crate::website::{
    checks::{content, cookies, headers},
    document::Document,
    html,
    response::{End, Response},
};

fn page(url: &str, head: &[(&str, &str)], body: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "text/html".parse().unwrap());
    for (name, value) in head {
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    Response {
        url: Url::parse(url).unwrap(),
        status: StatusCode::OK,
        headers,
        body: body.as_bytes().to_vec(),
        end: End::Whole,
        tls: None,
    }
}

fn rules(findings: Vec<Finding>) -> Vec<String> {
    findings.into_iter().map(|f| f.rule_id.replace("website.", "")).collect()
}

fn header_rules(url: &str, head: &[(&str, &str)], body: &str, wanted: &str) -> Vec<String> {
    let page = page(url, head, body);
    let found = rules(headers::check(&page, Document::of(&page).as_ref()));
    found.into_iter().filter(|rule| rule.starts_with(wanted)).collect()
}

fn policy(value: &str) -> Vec<String> {
    header_rules("https://a.example/", &[("content-security-policy", value)], "", "csp")
}

#[test]
fn a_content_security_policy_is_judged_by_what_it_lets_through() {
    assert_eq!(policy("default-src 'self'"), Vec::<String>::new());
    assert_eq!(policy("img-src 'self'"), ["csp-scripts-unrestricted"]);
    assert_eq!(policy("default-src *"), ["csp-wildcard"]);
    assert_eq!(policy("default-src *; script-src 'self'"), Vec::<String>::new());
    assert_eq!(policy("script-src 'self' 'unsafe-inline'"), ["csp-unsafe-inline"]);
    assert_eq!(policy("script-src 'unsafe-inline' 'nonce-abc'"), Vec::<String>::new());
    assert_eq!(policy("script-src https: 'strict-dynamic' 'nonce-a'"), Vec::<String>::new());
    assert_eq!(
        policy("script-src https: 'UNSAFE-inline' 'unsafe-eval'"),
        ["csp-wildcard", "csp-unsafe-inline", "csp-unsafe-eval"]
    );
    assert_eq!(policy("default-src *, script-src 'none'"), Vec::<String>::new());
}

#[test]
fn a_policy_in_the_page_counts_but_cannot_limit_frames() {
    let body = r#"<meta http-equiv="Content-Security-Policy" content="default-src 'self'; frame-ancestors 'none'">"#;
    assert_eq!(header_rules("https://a.example/", &[], body, "csp"), Vec::<String>::new());
    assert_eq!(header_rules("https://a.example/", &[], body, "click"), ["clickjacking"]);
}

#[test]
fn strict_transport_security_is_judged_by_its_time() {
    let hsts = |value| {
        header_rules("https://a.example/", &[("strict-transport-security", value)], "", "hsts")
    };
    assert_eq!(hsts("max-age=31536000; includeSubDomains"), Vec::<String>::new());
    assert_eq!(hsts("Max-Age = \"31536000\" ; INCLUDESUBDOMAINS"), Vec::<String>::new());
    assert_eq!(hsts("max-age=31536000"), ["hsts-no-subdomains"]);
    assert_eq!(hsts("max-age=300; includeSubDomains"), ["hsts-short"]);
    assert_eq!(hsts("max-age=0"), ["hsts-missing"]);
    assert_eq!(hsts("includeSubDomains"), ["hsts-missing"]);
    assert_eq!(header_rules("http://a.example/", &[], "", "hsts"), Vec::<String>::new());
    assert_eq!(header_rules("https://192.0.2.1/", &[], "", "hsts"), Vec::<String>::new());
}

#[test]
fn cookies_are_judged_one_by_one() {
    let judge =
        |value| rules(cookies::check(&page("https://a.example/", &[("set-cookie", value)], "")));
    assert_eq!(judge("a=b; Secure; HttpOnly; SameSite=Strict"), Vec::<String>::new());
    assert_eq!(judge("a=b; Secure; HttpOnly"), ["cookie-no-samesite"]);
    assert_eq!(judge("xsrf-token=b; Secure; SameSite=Lax"), Vec::<String>::new());
    assert_eq!(
        judge("a=b; HttpOnly; SameSite=None"),
        ["cookie-not-secure", "cookie-samesite-none-insecure"]
    );
    assert_eq!(
        judge("__Host-a=b; Secure; HttpOnly; SameSite=Lax; Path=/x"),
        ["cookie-prefix-misuse"]
    );
    assert_eq!(judge("a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"), Vec::<String>::new());
}

#[test]
fn relative_addresses_follow_the_base_of_the_page() {
    let body = "<base href='http://plain.example/'><script src='a.js'></script>";
    let page = page("https://a.example/", &[], body);
    let found = rules(content::check(&page, &Document::of(&page).unwrap()));
    assert_eq!(found, ["mixed-content-active", "script-without-integrity"]);
}

#[test]
fn a_password_that_is_sent_elsewhere_over_plain_http_is_seen() {
    let at = |body: &str| {
        let page = page("https://a.example/", &[], body);
        rules(content::check(&page, &Document::of(&page).unwrap()))
    };
    assert_eq!(at("<form action=/in><input type=password></form>"), Vec::<String>::new());
    assert_eq!(
        at("<form action=http://a.example/in><input TYPE='Password'></form>"),
        ["password-over-http", "form-over-http"]
    );
}

#[test]
fn tags_are_read_from_any_text() {
    let read = |text: &str| html::tags(text).into_iter().map(|tag| tag.name).collect::<Vec<_>>();
    assert_eq!(read("<A HREF=x><!-- <b> --><c/>"), ["a", "c"]);
    assert_eq!(read("<script>if (a<b) '<i>'</script><p>"), ["script", "p"]);
    assert_eq!(read("<script><p>"), ["script"]);
    assert_eq!(read("<!-- <p>"), Vec::<String>::new());
    assert_eq!(read("a < b <1> </p> <"), Vec::<String>::new());
    let tags = html::tags("<img alt='a > b' src = \"x?a=1&amp;b=2\" = / hidden =>é<ü");
    assert_eq!(tags[0].attribute("alt"), Some("a > b"));
    assert_eq!(tags[0].attribute("src"), Some("x?a=1&b=2"));
    assert_eq!(tags[0].attribute("hidden"), Some(""));
}
