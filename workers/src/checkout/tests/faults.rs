use super::server::Server;
use super::*;

async fn fault_of(bench: &Bench, url: &str) -> Error {
    let fault = bench.clone(url).await.unwrap_err();
    bench.scratch_is_emptied().await;
    fault
}

#[tokio::test]
async fn a_missing_repository_is_told_and_not_tried_again() {
    let bench = Bench::new().await;
    let server = Server::git(bench.repositories()).await;
    let fault = fault_of(&bench, &server.url("none/.git")).await;
    assert!(matches!(fault, Error::NotFound), "{fault}");
    assert!(!fault.retryable());
}

#[tokio::test]
async fn a_redirect_is_refused() {
    let bench = Bench::new().await;
    bench.repository("a", &[("one", b"1")]);
    let real = Server::git(bench.repositories()).await;
    let location =
        format!("Location: {}/info/refs?service=git-upload-pack\r\n", real.url("a/.git"));
    let server = Server::fixed("301 Moved Permanently", &location, "").await;
    let fault = fault_of(&bench, &server.url("a/.git")).await;
    assert!(matches!(fault, Error::Redirected), "{fault}");
    assert!(fault.to_string().contains("final address"));
}

#[tokio::test]
async fn a_private_address_is_refused_before_anything_is_sent() {
    let mut bench = Bench::new().await;
    bench.checkouts.addresses = AddressPolicy::default();
    for url in
        ["http://127.0.0.1:1/a", "http://localhost:1/a", "http://0x7f.1:1/a", "http://[::1]:1/a"]
    {
        let fault = fault_of(&bench, url).await;
        assert!(fault.to_string().contains("loopback"), "{fault}");
        assert!(!fault.retryable());
    }
}

#[tokio::test]
async fn a_repository_over_the_limit_is_stopped() {
    let mut bench = Bench::new().await;
    let mut noise = 1_u32;
    let big: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.to_be_bytes()[0]
    })
    .take(4 << 20)
    .collect();
    bench.repository("big", &[("one", &big)]);
    bench.repository("wide", &[("sparse", &vec![0; 4 << 20])]);
    let server = Server::git(bench.repositories()).await;
    bench.checkouts.limits.bytes = 1 << 20;
    for name in ["big", "wide"] {
        let fault = fault_of(&bench, &server.url(&format!("{name}/.git"))).await;
        assert!(matches!(fault, Error::TooLarge { .. }), "{name}: {fault}");
        assert!(!fault.retryable());
    }
    bench.checkouts.limits = Limits { files: 5, ..Limits::default() };
    let fault = fault_of(&bench, &server.url("big/.git")).await;
    assert!(matches!(fault, Error::TooLarge { .. }), "{fault}");
}

#[tokio::test]
async fn an_empty_repository_is_told() {
    let bench = Bench::new().await;
    bench.repository("empty", &[]);
    let server = Server::git(bench.repositories()).await;
    let fault = fault_of(&bench, &server.url("empty/.git")).await;
    assert!(matches!(fault, Error::Empty), "{fault}");
}

#[tokio::test]
async fn answers_of_other_servers_are_understood() {
    let bench = Bench::new().await;
    let cases = [
        ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", "AuthRequired", false),
        ("403 Forbidden", "", "AuthRequired", false),
        ("503 Service Unavailable", "", "ServerFault", true),
        ("429 Too Many Requests", "", "ServerFault", true),
        ("200 OK", "Content-Type: text/html\r\n", "NotARepository", false),
    ];
    for (status, headers, expected, retryable) in cases {
        let server = Server::fixed(status, headers, "<html>\n<p>hello</p>\n</html>\n").await;
        let fault = fault_of(&bench, &server.url("a")).await;
        assert!(format!("{fault:?}").starts_with(expected), "{status}: {fault:?}");
        assert_eq!(fault.retryable(), retryable, "{fault}");
    }
}

#[tokio::test]
async fn a_closed_port_can_be_tried_again() {
    let bench = Bench::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let fault = fault_of(&bench, &format!("http://127.0.0.1:{port}/a")).await;
    assert!(matches!(fault, Error::Unreachable(_)), "{fault:?}");
    assert!(fault.retryable());
}

#[tokio::test]
async fn a_server_that_never_answers_runs_out_of_time() {
    let mut bench = Bench::new().await;
    bench.checkouts.limits.time = Duration::from_millis(500);
    let server = Server::silent().await;
    let fault = fault_of(&bench, &server.url("a")).await;
    assert!(matches!(fault, Error::TimedOut { .. }), "{fault:?}");
    assert!(fault.retryable());
}

#[tokio::test]
async fn a_clone_can_be_cancelled() {
    let bench = Bench::new().await;
    let server = Server::silent().await;
    let cancel = CancellationToken::new();
    let source = RepositorySource::Url(server.url("a"));
    // Cancelled as soon as git is about to start.
    let log = |_: &str| cancel.cancel();
    let opened = bench.checkouts.open(&source, History::Latest, &cancel, &log).await;
    assert!(matches!(opened, Err(Error::Cancelled)), "{opened:?}");
}

#[tokio::test]
async fn other_schemes_and_credentials_are_refused() {
    let bench = Bench::new().await;
    for url in ["file:///etc", "ext::sh -c id", "ssh://host/a", "http://me:pw@127.0.0.1/a"] {
        let fault = fault_of(&bench, url).await;
        assert!(matches!(fault, Error::Url(_)), "{url}: {fault}");
        assert!(!fault.to_string().contains("pw"));
    }
}
