//! Servers that stall, flood or talk nonsense. Each scan must end by itself, in time, and say why.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use domain::scans::EngineOutcome;

use super::{
    Report, Scan, scan,
    server::{Server, Stream, not_found, reply},
};

/// Far more than the bounds of an impatient scan allow, far less than for ever.
const SOON: Duration = Duration::from_secs(20);

fn bounded(scan: Scan, server: &Server) -> Report {
    let begin = Instant::now();
    let report = scan.run(&server.url("http", "127.0.0.1"));
    assert!(begin.elapsed() < SOON, "it took {:?}", begin.elapsed());
    report
}

fn assert_failed(report: &Report, code: &str) {
    assert_eq!(report.outcome(), EngineOutcome::Failed, "{report:#?}");
    assert_eq!(report.warnings()[0].0, code, "{report:#?}");
}

fn until_closed(stream: &mut TcpStream) {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
}

/// Writes the piece again and again until the other side is gone.
fn flood(stream: &mut dyn Stream, piece: &[u8], pause: Duration) {
    while stream.write_all(piece).and_then(|()| stream.flush()).is_ok() {
        std::thread::sleep(pause);
    }
}

#[test]
fn a_server_that_never_answers_fails_the_scan() {
    let server = Server::raw(|mut stream| until_closed(&mut stream));
    assert_failed(&bounded(Scan::impatient(), &server), "unreachable");
}

#[test]
fn a_closed_port_fails_the_scan() {
    let server = Server::raw(|_| {});
    let url = server.url("http", "127.0.0.1");
    drop(server);
    let report = scan(&url);
    assert_failed(&report, "unreachable");
    assert_eq!(report.findings().count(), 0);
}

#[test]
fn a_header_that_drips_fails_the_scan() {
    let server = Server::http(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ");
        flood(stream, b"a", Duration::from_millis(20));
    });
    assert_failed(&bounded(Scan::impatient(), &server), "unreachable");
}

#[test]
fn headers_without_end_fail_the_scan() {
    let server = Server::http(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        flood(stream, b"X-More: of the same\r\n", Duration::ZERO);
    });
    assert_failed(&bounded(Scan::default(), &server), "not-http");
}

#[test]
fn one_huge_header_fails_the_scan() {
    let server = Server::http(|_, stream| {
        let huge = format!("X-Huge: {}\r\n", "a".repeat(1024 * 1024));
        reply(stream, "200 OK", &huge, b"");
    });
    assert_failed(&bounded(Scan::default(), &server), "not-http");
}

#[test]
fn a_body_that_drips_is_examined_as_far_as_it_came() {
    let server = Server::http(|asked, stream| {
        if asked.path != "/" || asked.method != "GET" {
            return not_found(stream);
        }
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Powered-By: X/1.0\r\n\r\n",
        );
        flood(stream, b"<p>", Duration::from_millis(20));
    });
    let report = bounded(Scan::impatient(), &server);
    assert_eq!(report.outcome(), EngineOutcome::Partial);
    assert!(report.warns("page-too-slow"), "{:?}", report.warnings());
    assert!(report.rules().contains(&"version-leak"));
}

#[test]
fn a_body_without_end_is_cut() {
    let server = Server::http(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
        flood(stream, &[b'<'; 64 * 1024], Duration::ZERO);
    });
    let report = bounded(Scan::default(), &server);
    assert_eq!(report.outcome(), EngineOutcome::Partial);
    assert!(report.warns("page-too-large"), "{:?}", report.warnings());
}

#[test]
fn the_bytes_read_in_all_are_bounded() {
    let server = Server::http(|_, stream| reply(stream, "200 OK", "", &[b'x'; 3000]));
    let mut few = Scan::default();
    few.limits.max_total_bytes = 10_000;
    let report = bounded(few, &server);
    assert_eq!(report.outcome(), EngineOutcome::Partial);
    assert!(report.warns("byte-limit"), "{:?}", report.warnings());
}

#[test]
fn the_time_of_the_limits_ends_the_scan() {
    let server = slow_after_the_first_page();
    let mut short = Scan::default();
    short.limits.time_s = 1;
    let report = bounded(short, &server);
    assert_eq!(report.outcome(), EngineOutcome::Partial);
    assert!(report.warns("time-limit"), "{:?}", report.warnings());
}

#[test]
fn a_redirect_loop_fails_the_scan() {
    let server = Server::http(|_, stream| reply(stream, "302 Found", "Location: /again\r\n", b""));
    assert_failed(&bounded(Scan::default(), &server), "too-many-redirects");
}

#[test]
fn a_redirect_to_another_scheme_fails_the_scan() {
    let server = Server::http(|_, stream| {
        reply(stream, "302 Found", "Location: file:///etc/passwd\r\n", b"")
    });
    assert_failed(&bounded(Scan::default(), &server), "not-http");
}

#[test]
fn an_invalid_chunked_encoding_leaves_the_headers_to_examine() {
    let server = Server::http(|_, stream| {
        let _ = stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n\
              5\r\n<p>hi\r\nZZZZ\r\nnonsense",
        );
    });
    let report = bounded(Scan::default(), &server);
    assert_eq!(report.outcome(), EngineOutcome::Partial);
    assert!(report.warns("page-broken"), "{:?}", report.warnings());
    assert!(report.rules().contains(&"csp-missing"));
}

#[test]
fn a_server_of_another_protocol_fails_the_scan() {
    let server = Server::raw(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
        until_closed(&mut stream);
    });
    assert_failed(&bounded(Scan::default(), &server), "not-http");
}

/// Whether its words are seen before or after the connection is given up is a matter of luck.
#[test]
fn a_server_that_speaks_first_fails_the_scan() {
    let server = Server::raw(|mut stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
        until_closed(&mut stream);
    });
    let report = bounded(Scan::default(), &server);
    assert_eq!(report.outcome(), EngineOutcome::Failed, "{report:#?}");
    assert!(report.warns("not-http") || report.warns("unreachable"), "{report:#?}");
}

#[test]
fn a_server_that_hangs_up_fails_the_scan() {
    let server = Server::http(|_, _| {});
    assert_failed(&bounded(Scan::default(), &server), "unreachable");
}

#[test]
fn a_site_that_stops_answering_is_left_alone() {
    let server = Server::http(|asked, stream| {
        if asked.path == "/" {
            reply(stream, "200 OK", "", b"hello");
        }
    });
    let report = bounded(Scan::default(), &server);
    assert_eq!(report.outcome(), EngineOutcome::Partial);
    assert!(report.warns("stopped-answering"), "{:?}", report.warnings());
    assert!(report.warns("unanswered-requests"));
}

#[test]
fn a_site_that_asks_for_fewer_requests_gets_none() {
    let server = Server::http(|asked, stream| match asked.path.as_str() {
        "/" => reply(stream, "200 OK", "", b"hello"),
        _ => reply(stream, "429 Too Many Requests", "", b""),
    });
    let report = bounded(Scan::default(), &server);
    assert_eq!(report.outcome(), EngineOutcome::Partial);
    assert!(report.warns("rate-limited"), "{:?}", report.warnings());
}

#[test]
fn hostile_bytes_are_escaped_and_do_not_panic() {
    let server = Server::http(|asked, stream| {
        if asked.path != "/" {
            return not_found(stream);
        }
        let _ = stream.write_all(
            b"HTTP/1.1 200 \xff\xfe\r\nContent-Type: text/html\r\nServer: x/1.0 \xff\xe2\x80\xae<script>alert(1)</script>\r\n\
              Set-Cookie: \xf0\x9f\x92\xa9\xff=v\r\nSet-Cookie: =;;=;\r\nSet-Cookie:\r\nLink: \x80\r\n\
              Strict-Transport-Security: max-age=99999999999999999999999\r\n\
              Content-Security-Policy: ;;, ,script-src\r\n\r\n\
              <title>\x1b[31m\xff\x00</title><script src=\"http://[\"></script><base href=\"\xff\">\
              <meta name=generator content='\x1b[31m9.9 \xe2\x80\xae'><<<a <!-- <form action=\"//\xff:99999\"",
        );
    });
    let report = bounded(Scan::default(), &server);
    assert_eq!(report.outcome(), EngineOutcome::Completed, "{report:#?}");
    for finding in report.findings() {
        let text = format!("{}{}", finding.evidence.as_deref().unwrap_or(""), finding.title);
        assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
        assert!(text.chars().count() < 500);
    }
}

/// The first page comes at once; every other answer never does.
fn slow_after_the_first_page() -> Server {
    Server::raw(|mut stream| {
        let mut request = [0; 2048];
        let read = stream.read(&mut request).unwrap_or(0);
        let text = String::from_utf8_lossy(&request[..read]).to_ascii_lowercase();
        if text.starts_with("get / ") && !text.contains("origin:") {
            reply(&mut stream, "200 OK", "", b"hello");
        } else {
            until_closed(&mut stream);
        }
    })
}
