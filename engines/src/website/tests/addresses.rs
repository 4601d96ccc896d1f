use domain::scans::EngineOutcome;

use super::{
    Scan,
    server::{Server, reply},
};

fn redirecting(location: String) -> Server {
    Server::http_at("127.0.0.2", move |_, stream| {
        reply(stream, "302 Found", &format!("Location: {location}\r\n"), b"");
    })
}

fn assert_refused(scan: Scan, url: &str, class: &str) {
    let report = scan.run(url);
    assert_eq!(report.outcome(), EngineOutcome::Failed, "{url}");
    let warnings = report.warnings();
    let (code, message) = warnings[0];
    assert_eq!(code, "address-refused", "{url}: {message}");
    assert!(message.contains(class) && message.contains("operator can allow"), "{message}");
    assert_eq!(report.findings().count(), 0);
}

#[test]
fn private_addresses_are_refused_unless_allowed() {
    for (url, class) in [
        ("http://127.0.0.1/", "loopback"),
        ("http://localhost/", "loopback"),
        ("http://10.0.0.1/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "link-local"),
        ("http://[::1]/", "loopback"),
        ("http://[::ffff:127.0.0.1]/", "loopback"),
        ("http://[fd00::1]/", "private"),
        ("http://0x7f000001/", "loopback"),
        ("http://2130706433/", "loopback"),
    ] {
        assert_refused(Scan { allowed: Vec::new(), ..Scan::default() }, url, class);
    }
}

#[test]
fn a_redirect_to_a_refused_address_is_not_followed() {
    for (location, class) in [
        ("http://169.254.169.254/latest/meta-data/", "link-local"),
        ("http://[::ffff:169.254.169.254]/", "link-local"),
        ("//[::1]/", "loopback"),
        ("http://localhost/", "loopback"),
    ] {
        let server = redirecting(location.to_owned());
        let only_this = Scan { allowed: vec!["127.0.0.2".to_owned()], ..Scan::default() };
        assert_refused(only_this, &server.url("http", "127.0.0.2"), class);
    }
}

#[test]
fn other_sites_are_seen_but_not_probed() {
    let other = Server::http(|asked, stream| {
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/landing"));
        reply(stream, "200 OK", "Content-Type: text/html\r\n", b"<p>elsewhere</p>");
    });
    let server = redirecting(format!("{}landing", other.url("http", "127.0.0.1")));
    let report = super::scan(&server.url("http", "127.0.0.2"));
    assert!(report.warns("cross-host-redirect"), "{report:#?}");
    assert!(report.rules().contains(&"csp-missing"));
    assert_eq!(report.outcome(), EngineOutcome::Completed);
}

#[test]
fn a_name_that_does_not_exist_is_reported_as_such() {
    let report = super::scan("http://no-such-host.invalid/");
    assert_eq!(report.outcome(), EngineOutcome::Failed);
    assert_eq!(report.warnings()[0].0, "dns-failed");
}
