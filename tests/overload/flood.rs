use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    http::{Answer, Connection, get, once, post},
    percentile,
    process::Process,
    support::Millrace,
};

const MAX_CONNECTIONS: usize = 64;
/// Ten clients for each that there is room for.
const CLIENTS: usize = 10 * MAX_CONNECTIONS;
/// Sooner than `Retry-After` asks for.
const PAUSE: Duration = Duration::from_millis(200);
/// Of the debug build. It idles below 100 MB.
const MAX_RESIDENT_MB: u64 = 400;
/// Generous: clients and servers share a loaded machine.
const FAST: Duration = Duration::from_secs(2);

/// What became of the requests, by their number.
#[derive(Default)]
struct Record {
    /// With the id of the scan.
    accepted: HashMap<u64, String>,
    refused: Vec<u64>,
    /// Those whose connection broke.
    unknown: Vec<u64>,
    accepted_after: Vec<Duration>,
    refused_after: Vec<Duration>,
}

struct Client {
    address: SocketAddr,
    key: String,
    target: String,
    numbers: Arc<AtomicU64>,
    until: Instant,
}

impl Client {
    async fn run(self) -> Record {
        let mut record = Record::default();
        let mut connection = None;
        while Instant::now() < self.until {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let begun = Instant::now();
            let Some(answer) = self.ask(&mut connection, number).await else {
                record.unknown.push(number);
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            if answer.is_last() {
                connection = None;
            }
            if answer.status == 202 {
                let receipt: Value = serde_json::from_slice(&answer.body).unwrap();
                record.accepted.insert(number, receipt["id"].as_str().unwrap().to_owned());
                record.accepted_after.push(begun.elapsed());
                continue;
            }
            record.refused.push(number);
            record.refused_after.push(begun.elapsed());
            assert!(matches!(answer.status, 429 | 503), "{}", answer.head);
            assert!(answer.header("retry-after").is_some(), "{}", answer.head);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            tokio::time::sleep(PAUSE).await;
        }
        record
    }

    async fn ask(&self, connection: &mut Option<Connection>, number: u64) -> Option<Answer> {
        let path = format!("{}/{number}", self.target);
        let body = json!({ "target": { "kind": "repository", "path": path } }).to_string();
        if connection.is_none() {
            *connection = Connection::open(self.address).await.ok();
        }
        let answer = connection.as_mut()?.ask(&post("/v1/scans", &self.key, &body)).await;
        if answer.is_err() {
            *connection = None;
        }
        answer.ok()
    }
}

fn seconds() -> u64 {
    std::env::var("MILLRACE_OVERLOAD_SECONDS").map_or(10, |text| text.parse().unwrap())
}

/// The most memory that the process has until it is told to stop looking.
async fn watch(process: Process, until: Instant) -> u64 {
    let mut most = 0;
    while Instant::now() < until {
        most = most.max(process.resident_mb());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_refused_fast_and_what_is_taken_is_kept() {
    let mut millrace = Millrace::new();
    millrace.set("MILLRACE_SERVER__MAX_CONNECTIONS", MAX_CONNECTIONS.to_string());
    millrace.set("MILLRACE_SERVER__REQUESTS_PER_MINUTE_PER_KEY", "100000000");
    millrace.set("MILLRACE_WORKERS__SCAN_CONCURRENCY", "1");
    millrace.up();
    let process = Process(millrace.process.as_ref().unwrap().id());
    let address: SocketAddr = millrace.base.strip_prefix("http://").unwrap().parse().unwrap();
    let idle_mb = process.resident_mb();

    let until = Instant::now() + Duration::from_secs(seconds());
    let numbers = Arc::new(AtomicU64::new(0));
    let watched = tokio::spawn(watch(process, until));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let client = Client {
                address,
                key: millrace.key.clone(),
                target: millrace.targets().display().to_string(),
                numbers: Arc::clone(&numbers),
                until,
            };
            tokio::spawn(client.run())
        })
        .collect();
    let mut record = Record::default();
    for client in clients {
        let other = client.await.unwrap();
        record.accepted.extend(other.accepted);
        record.refused.extend(other.refused);
        record.unknown.extend(other.unknown);
        record.accepted_after.extend(other.accepted_after);
        record.refused_after.extend(other.refused_after);
    }
    let recovered = recovery(&millrace, address).await;
    let most_mb = watched.await.unwrap();
    let accepted_p95 = percentile(&mut record.accepted_after, 95);
    let refused_p95 = percentile(&mut record.refused_after, 95);
    println!(
        "overload: {} s, {} accepted (p95 {accepted_p95:.1?}), {} refused (p95 {refused_p95:.1?}), \
         {} unknown; {idle_mb} MB idle, {most_mb} MB at most; {recovered:.1?} right after",
        seconds(),
        record.accepted.len(),
        record.refused.len(),
        record.unknown.len(),
    );
    assert!(record.accepted.len() > 100, "hardly anything was taken");
    assert!(record.refused.len() > CLIENTS, "it was no overload");
    // A connection may break under a request; being left without an answer is no way to refuse.
    assert!(record.unknown.len() * 100 <= record.refused.len(), "clients were left alone");
    assert!(accepted_p95 < FAST && refused_p95 < FAST);
    assert!(most_mb < MAX_RESIDENT_MB);
    assert!(recovered < FAST);
    all_is_kept(&millrace, &record).await;
}

/// How long an ordinary request takes, the slowest of a few.
async fn recovery(millrace: &Millrace, address: SocketAddr) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let begun = Instant::now();
        let answer = once(address, &get("/v1/scans?limit=1", &millrace.key)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.head);
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

/// Everything that was accepted stands in the log once, and nothing that was refused does.
async fn all_is_kept(millrace: &Millrace, record: &Record) {
    let mut logged: HashMap<u64, Vec<String>> = HashMap::new();
    let mut after = 0;
    loop {
        let path = format!("/v1/events?types=scan.requested&limit=500&after={after}");
        let page = millrace.json(&path).await;
        let events = page["events"].as_array().unwrap();
        if events.is_empty() {
            break;
        }
        for event in events {
            let target = event["data"]["target"].to_string();
            let number = target.trim_end_matches(|c: char| !c.is_ascii_digit());
            let number = number.rsplit('/').next().unwrap().parse().unwrap();
            let id = event["aggregate_id"].as_str().unwrap().to_owned();
            logged.entry(number).or_default().push(id);
        }
        after = page["next_after"].as_u64().unwrap();
    }
    for (number, id) in &record.accepted {
        assert_eq!(logged.get(number), Some(&vec![id.clone()]), "request {number}");
    }
    for number in &record.refused {
        assert!(!logged.contains_key(number), "request {number} was refused and is in the log");
    }
    assert!(logged.len() <= record.accepted.len() + record.unknown.len());
}
