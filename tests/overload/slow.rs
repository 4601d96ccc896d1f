use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinHandle};

use crate::{
    http::{Connection, get, once, patiently},
    percentile,
    process::Process,
    support::{Millrace, PATIENCE},
};

const MAX_CONNECTIONS: usize = 256;
const SLOW_HEADS: usize = 500;
const ENDLESS_BODIES: usize = 200;
const DEAF_READERS: usize = 50;
/// Servers of its own, and connections that are just being refused.
const SPARE_FILES: usize = 150;
const MEASURED: Duration = Duration::from_secs(6);
/// Generous: clients and servers share a loaded machine.
const FAST: Duration = Duration::from_millis(1000);

/// A byte a second, for as long as it is let.
async fn drip(address: SocketAddr, head: String, byte: &'static [u8]) {
    loop {
        let Ok(mut stream) = patiently(TcpStream::connect(address)).await else { continue };
        let mut sent = stream.write_all(head.as_bytes()).await;
        while sent.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sent = stream.write_all(byte).await;
        }
    }
}

/// Asks for a stream and never reads it.
async fn never_read(address: SocketAddr, key: String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = get("/v1/events/stream?after=0", &key);
    if stream.write_all(request.as_bytes()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

fn attack(address: SocketAddr, key: &str) -> Vec<JoinHandle<()>> {
    let body = format!(
        "POST /v1/scans HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n\
         content-length: 1000\r\n\r\n"
    );
    let deaf = (0..DEAF_READERS).map(|_| tokio::spawn(never_read(address, key.to_owned())));
    let mut attackers: Vec<_> = deaf.collect();
    for _ in 0..ENDLESS_BODIES {
        attackers.push(tokio::spawn(drip(address, body.clone(), b" ")));
    }
    for _ in 0..SLOW_HEADS {
        let head = "GET /v1/scans HTTP/1.1\r\nx-slow: ".to_owned();
        attackers.push(tokio::spawn(drip(address, head, b"x")));
    }
    attackers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_cost_neither_files_without_end_nor_the_time_of_others() {
    let mut millrace = Millrace::new();
    millrace.set("MILLRACE_SERVER__MAX_CONNECTIONS", MAX_CONNECTIONS.to_string());
    millrace.set("MILLRACE_SERVER__REQUESTS_PER_MINUTE_PER_KEY", "100000000");
    millrace.set("MILLRACE_SERVER__HEADER_TIMEOUT_S", "5");
    millrace.set("MILLRACE_SERVER__BODY_TIMEOUT_S", "5");
    millrace.up();
    let process = Process(millrace.process.as_ref().unwrap().id());
    let address: SocketAddr = millrace.base.strip_prefix("http://").unwrap().parse().unwrap();
    let list = get("/v1/scans?limit=1", &millrace.key);
    let idle_files = process.open_files();
    let mut kept = Connection::open(address).await.unwrap();
    assert_eq!(kept.ask(&list).await.unwrap().status, 200);

    let attackers = attack(address, &millrace.key);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (mut took, mut most_files, begun) = (Vec::new(), 0, Instant::now());
    while begun.elapsed() < MEASURED {
        let asked = Instant::now();
        let answer = once(address, &list).await;
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        assert_eq!(status, 200, "after {:.1?}: {answer:?}", begun.elapsed());
        took.push(asked.elapsed());
        most_files = most_files.max(process.open_files());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for attacker in &attackers {
        attacker.abort();
    }
    let p95 = percentile(&mut took, 95);
    println!(
        "slow clients: {} others asked, p95 {p95:.1?}; {idle_files} files idle, {most_files} at most",
        took.len()
    );
    assert!(p95 < FAST, "{p95:?}");
    assert!(most_files <= idle_files + MAX_CONNECTIONS + SPARE_FILES, "{most_files} files");
    let deadline = Instant::now() + PATIENCE;
    while process.open_files() > idle_files + SPARE_FILES / 5 {
        assert!(Instant::now() < deadline, "{} files stay open", process.open_files());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
