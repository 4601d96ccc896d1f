use std::time::{Duration, Instant};

use api::Options;
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Server, send, soon};

/// What the server sends until it closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is a close as well.
    let _ = soon(stream.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_is_cut_off() {
    let options = Options { header_timeout: Duration::from_millis(500), ..Options::default() };
    let server = Server::with(options).await;
    let begun = Instant::now();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /health/live HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let (mut read, mut write) = slow.split();
    let dripping = async {
        while write.write_all(b"x-a: b\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let mut text = String::new();
    tokio::select! {
        () = dripping => {}
        _ = soon(read.read_to_string(&mut text)) => {}
    }
    until_closed(&mut silent).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(send(server.bare(Method::GET, "/health/live")).await.status, 200);
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_cut_off() {
    let options = Options { body_timeout: Duration::from_millis(500), ..Options::default() };
    let server = Server::with(options).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /v1/scans HTTP/1.1\r\nhost: a\r\nx-api-key: {}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{{",
        server.owner.key
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("request-too-slow"), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_cut_off_whatever_it_announces() {
    let options = Options { max_body_bytes: 1000, ..Options::default() };
    let server = Server::with(options).await;
    let post =
        || server.request(Method::POST, "/v1/scans").header("content-type", "application/json");
    let announced = send(post().body("x".repeat(1001))).await;
    assert_eq!(announced.status, 413);
    assert_eq!(announced.code(), "body-too-large");
    let chunks = futures::stream::iter((0..20).map(|_| Ok::<_, std::io::Error>("x".repeat(100))));
    let chunked = send(post().body(reqwest::Body::wrap_stream(chunks))).await;
    assert_eq!(chunked.status, 413);
    assert_eq!(chunked.code(), "body-too-large");
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_refused_with_a_problem() {
    let options = Options { max_header_bytes: 8192, ..Options::default() };
    let server = Server::with(options).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx-a: {}\r\n\r\n", "x".repeat(10_000));
    let _ = stream.write_all(head.as_bytes()).await;
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(answer.contains(r#""code":"head-too-large""#), "{answer}");
    assert!(answer.contains("content-type: application/problem+json"), "{answer}");

    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nwhat is this\r\n\r\n").await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains(r#""code":"bad-request""#), "{answer}");
}

#[tokio::test]
async fn beyond_the_limit_the_client_that_is_silent_longest_makes_room_and_answers_end_connections()
{
    let options = Options { max_connections: 2, ..Options::default() };
    let server = Server::with(options).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut in_a_head = TcpStream::connect(server.address).await.unwrap();
    in_a_head.write_all(b"GET /health/live HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let mut third = TcpStream::connect(server.address).await.unwrap();
    third.write_all(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let answer = until_closed(&mut third).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(until_closed(&mut silent).await, "");
    in_a_head.write_all(b"\r\n").await.unwrap();
    let mut start = [0; 12];
    soon(in_a_head.read_exact(&mut start)).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_read_that_waits_for_its_view_keeps_nobody_from_being_answered() {
    let options =
        Options { max_requests: 1, max_wait: Duration::from_secs(20), ..Options::default() };
    let server = Server::with(options).await;
    let ahead = |wait: &str| {
        let request = server.request(Method::GET, "/v1/scans");
        send(
            request
                .header("millrace-min-position", 999_999)
                .header("prefer", format!("wait={wait}")),
        )
    };
    let waiting = ahead("3");
    tokio::pin!(waiting);
    let mut answered = 0;
    let others = async {
        loop {
            // A first look of the other may take its time on a loaded machine.
            let answer = server.get("/v1/scans").await;
            answered += u32::from(answer.status == 200);
            let stale = ahead("0").await;
            assert!(["stale-read", "overloaded"].contains(&stale.code().as_str()), "{stale:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let stale = tokio::select! {
        stale = &mut waiting => stale,
        () = others => unreachable!("they have no end"),
    };
    assert!(answered > 0);
    assert_eq!(stale.code(), "stale-read");
}
