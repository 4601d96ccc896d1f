//! A scan that finds as much as one may.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::Millrace;

const FINDINGS: usize = 100_000;
const FILES: usize = 1000;
/// Of recording and reporting them, beyond what the process has had before. All of them at once take more.
const MEMORY_KB: u64 = 160 * 1024;
const PATIENCE: Duration = Duration::from_secs(300);

/// Tokens that nobody has, each another.
fn leaky_repository(millrace: &Millrace) -> PathBuf {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let folder = millrace.targets().join("leaky");
    fs::create_dir(&folder).unwrap();
    let mut state = 7_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(LETTERS[(state >> 33) as usize % LETTERS.len()])
    };
    for file in 0..FILES {
        let mut text = String::new();
        for _ in 0..FINDINGS / FILES {
            text.push_str("TOKEN=ghp_");
            text.extend((0..36).map(|_| letter()));
            text.push('\n');
        }
        fs::write(folder.join(format!("{file}.env")), text).unwrap();
    }
    folder
}

/// The most memory that the process ever had, in kB.
fn peak_kb(millrace: &Millrace) -> u64 {
    let process = millrace.process.as_ref().unwrap().id();
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How often a text is in the answer, of which no more than a piece is kept.
async fn count(mut answer: reqwest::Response, text: &str) -> usize {
    assert!(answer.status().is_success(), "{}", answer.status());
    let (mut count, mut left) = (0, String::new());
    while let Some(chunk) = answer.chunk().await.unwrap() {
        left.push_str(&String::from_utf8_lossy(&chunk));
        count += left.matches(text).count();
        let seen = left.rfind(text).map_or(0, |at| at + text.len());
        let start = seen.max(left.len().saturating_sub(text.len()));
        let start = (start..=left.len()).find(|at| left.is_char_boundary(*at)).unwrap();
        left.drain(..start);
    }
    count
}

#[tokio::test]
async fn a_hundred_thousand_findings_are_recorded_and_reported_in_bounded_memory() {
    let mut millrace = Millrace::new();
    millrace.set("MILLRACE_LIMITS__KEY", "10000/60s");
    millrace.up();
    let folder = leaky_repository(&millrace);
    let before = peak_kb(&millrace);
    let (started, target) = (Instant::now(), json!({ "kind": "repository", "path": folder }));
    let asked = json!({ "target": target, "engines": ["secrets"] });
    let answer = crate::support::body(millrace.post("/v1/scans", &asked).await).await;
    let id = answer["id"].as_str().unwrap();
    let path = format!("/v1/scans/{id}");
    let scan = loop {
        let scan = millrace.get(&path).await;
        if scan.status().is_success() {
            let scan = crate::support::body(scan).await;
            if ["completed", "failed"].contains(&scan["state"].as_str().unwrap()) {
                break scan;
            }
        }
        assert!(started.elapsed() < PATIENCE, "the scan does not end: {}", millrace.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!((&scan["findings"], &scan["complete"]), (&json!(FINDINGS), &json!(true)), "{scan}");
    let scanned = (started.elapsed(), peak_kb(&millrace));
    for (format, of_each) in [
        ("json", "\"fingerprint\":"),
        ("sarif", "\"ruleId\":"),
        ("csv", ".env"),
        ("html", "<article>"),
    ] {
        let report = millrace.get(&format!("{path}/report?format={format}")).await;
        assert_eq!(count(report, of_each).await, FINDINGS, "{format}");
    }
    let after = peak_kb(&millrace);
    println!(
        "{FINDINGS} findings in {:?}; {before} kB before, {} kB when scanned, {after} kB when reported, in {:?}",
        scanned.0,
        scanned.1,
        started.elapsed() - scanned.0
    );
    assert!(after - before < MEMORY_KB, "{before} kB before, {after} kB after");
    assert_eq!(millrace.end("TERM"), Some(0));
}
