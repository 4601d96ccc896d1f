use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{Millrace, SlowSite, body};

pub fn weak_repository(millrace: &Millrace, name: &str) -> std::path::PathBuf {
    let folder = millrace.targets().join(name);
    fs::create_dir(&folder).unwrap();
    let token = ["ghp_", "1B4a8Xw2Zq9Lm7Rt5Kc3", "Vn6Yp0Hs4Jd8Fg2A"].concat();
    fs::write(folder.join("deploy.sh"), format!("#!/bin/sh\nTOKEN={token}\n")).unwrap();
    fs::write(
        folder.join("Cargo.lock"),
        "version = 4\n\n[[package]]\nname = \"left-mill\"\nversion = \"1.2.0\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\n",
    )
    .unwrap();
    folder
}

pub fn advisory() -> Value {
    json!({
        "schema_version": "1.7.0",
        "id": "RUSTSEC-0000-0001",
        "modified": "2026-01-01T00:00:00Z",
        "summary": "left-mill grinds too fine",
        "affected": [{
            "package": { "ecosystem": "crates.io", "name": "left-mill" },
            "ranges": [{
                "type": "SEMVER",
                "events": [{ "introduced": "0.0.0-0" }, { "fixed": "1.3.0" }],
            }],
        }],
    })
}

#[tokio::test]
async fn a_scan_travels_from_command_to_report() {
    let mut millrace = Millrace::new();
    let advisories = millrace.folder.path().join("advisories");
    fs::create_dir(&advisories).unwrap();
    fs::write(advisories.join("a.json"), advisory().to_string()).unwrap();
    millrace.ok(&["advisories", "import", advisories.to_str().unwrap()]);
    let repository = weak_repository(&millrace, "weak");
    millrace.up();

    let id = millrace.scan_path(&repository).await;
    let scan = millrace.wait_for(&id, &["completed", "failed"]).await;
    assert_eq!(scan["state"], "completed", "{scan}");
    assert_eq!(scan["complete"], true, "{scan}");
    assert_eq!(scan["findings"], 2, "{scan}");

    let page = millrace.json(&format!("/v1/scans/{id}/findings")).await;
    let rules: Vec<_> =
        page["findings"].as_array().unwrap().iter().map(|f| f["rule_id"].clone()).collect();
    assert!(rules.contains(&json!("RUSTSEC-0000-0001")), "{rules:?}");
    assert!(rules.iter().any(|rule| rule.as_str().unwrap().starts_with("secrets.")), "{rules:?}");
    for format in ["json", "sarif", "csv", "html"] {
        let report = millrace.get(&format!("/v1/scans/{id}/report?format={format}")).await;
        assert!(report.status().is_success());
        let report = report.text().await.unwrap();
        assert!(report.contains("left-mill"), "{format}: {report}");
        assert!(!report.contains("1B4a8Xw2"), "{format} shows the secret");
    }
    let logs = millrace.get(&format!("/v1/scans/{id}/logs")).await.text().await.unwrap();
    assert!(logs.contains("secrets"), "{logs}");
    assert!(!logs.contains("1B4a8Xw2"), "the log shows the secret");
    let events = millrace.json("/v1/events?limit=500").await.to_string();
    assert!(!events.contains("1B4a8Xw2"), "the events show the secret");

    // As it was before it had any finding.
    let first = scan["position"].as_u64().unwrap() - 7;
    let then = millrace.json(&format!("/v1/scans/{id}?as_of={first}")).await;
    assert_ne!(then["state"], "completed", "{then}");
    // The older paths answer the same.
    assert_eq!(millrace.json(&format!("/api/scan/{id}")).await["state"], "completed");
    assert_eq!(millrace.end("TERM"), Some(0));
}

/// Answers one request with these bytes; gives the address.
fn serve_once(status: &str, content: Vec<u8>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/all.zip", listener.local_addr().unwrap());
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        content.len()
    );
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
        while request.next().unwrap().unwrap() != "" {}
        stream.write_all(&[head.as_bytes(), &content].concat()).unwrap();
    });
    url
}

#[test]
fn advisories_are_imported_from_an_address() {
    let millrace = Millrace::new();
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("a.json", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(advisory().to_string().as_bytes()).unwrap();
    let archive = archive.finish().unwrap().into_inner();
    let report = millrace.ok(&["advisories", "import", &serve_once("200 OK", archive)]);
    assert!(report.starts_with("crates.io: 1 advisories about 1 packages\n"), "{report}");
    for (status, content) in [("404 Not Found", &b"none"[..]), ("200 OK", b""), ("200 OK", b"text")]
    {
        let url = serve_once(status, content.to_vec());
        let output = millrace.run(&["advisories", "import", &url]);
        assert!(!output.status.success(), "{status}, {content:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[tokio::test]
async fn without_advisories_no_result_is_clean() {
    let mut millrace = Millrace::new();
    let folder = millrace.targets().join("plain");
    fs::create_dir(&folder).unwrap();
    fs::copy(weak_repository(&millrace, "weak").join("Cargo.lock"), folder.join("Cargo.lock"))
        .unwrap();
    millrace.up();
    let id = millrace.scan_path(&folder).await;
    let scan = millrace.wait_for(&id, &["completed", "failed"]).await;
    assert_eq!(scan["complete"], false, "{scan}");
    let warnings = scan["warnings"].to_string();
    assert!(warnings.contains("advisories-missing"), "{warnings}");
}

#[tokio::test]
async fn targets_that_cannot_be_scanned_fail_with_their_reason() {
    let mut millrace = Millrace::new();
    millrace.set("MILLRACE_SCANS__ALLOWED_PRIVATE_RANGES", r#"["127.0.0.1/32"]"#);
    millrace.up();
    let outside = millrace.folder.path().join("data");
    let link = millrace.targets().join("link");
    std::os::unix::fs::symlink("/etc", &link).unwrap();
    let cases = [
        (json!({ "kind": "repository", "path": outside }), "scans.allowed_paths"),
        (json!({ "kind": "repository", "path": link }), "scans.allowed_paths"),
        (json!({ "kind": "repository", "path": millrace.targets().join("none") }), "none"),
        (json!({ "kind": "repository", "url": "http://169.254.169.254/a.git" }), "169.254"),
        (json!({ "kind": "website", "url": "http://169.254.169.254/" }), "no engine"),
        (json!({ "kind": "website", "url": "http://[::1]:9/" }), "no engine"),
    ];
    for (target, reason) in cases {
        let id = millrace.scan(target.clone()).await;
        let scan = millrace.wait_for(&id, &["completed", "failed"]).await;
        assert_eq!(scan["state"], "failed", "{target}: {scan}");
        assert!(scan["reason"].as_str().unwrap().contains(reason), "{target}: {scan}");
    }
    // No worker was lost on the way.
    let fine = millrace.targets().join("fine");
    fs::create_dir(&fine).unwrap();
    let id = millrace.scan_path(&fine).await;
    assert_eq!(millrace.wait_for(&id, &["completed", "failed"]).await["state"], "completed");
}

#[tokio::test]
async fn a_hostile_tree_is_scanned_without_leaving_it() {
    use std::os::unix::ffi::OsStrExt;
    let mut millrace = Millrace::new();
    let tree = weak_repository(&millrace, "hostile");
    std::os::unix::fs::symlink("/etc/passwd", tree.join("passwd")).unwrap();
    std::os::unix::fs::symlink("/", tree.join("root")).unwrap();
    fs::write(tree.join(std::ffi::OsStr::from_bytes(b"bad-\xff-name")), "text").unwrap();
    let sparse = fs::File::create(tree.join("huge")).unwrap();
    sparse.set_len(2 << 30).unwrap();
    assert!(Command::new("mkfifo").arg(tree.join("pipe")).status().unwrap().success());
    millrace.up();
    let id = millrace.scan_path(&tree).await;
    let scan = millrace.wait_for(&id, &["completed", "failed"]).await;
    assert_eq!(scan["state"], "completed", "{scan}");
    let warnings = scan["warnings"].to_string();
    assert!(warnings.contains("file-too-large"), "{warnings}");
    let page = millrace.json(&format!("/v1/scans/{id}/findings")).await;
    assert_eq!(page["findings"].as_array().unwrap().len(), 1, "{page}");
}

#[tokio::test]
async fn a_running_scan_is_cancelled() {
    let mut millrace = Millrace::new();
    millrace.up();
    let site = SlowSite::serve(Duration::from_secs(8)).await;
    let id = millrace.scan(json!({ "kind": "website", "url": site.url })).await;
    millrace.wait_for(&id, &["running"]).await;
    let answer = millrace.post(&format!("/v1/scans/{id}/cancel"), &json!({})).await;
    assert_eq!(answer.status(), 202);
    let scan = millrace.wait_for(&id, &["cancelled", "completed", "failed"]).await;
    assert_eq!(scan["state"], "cancelled", "{scan}");
    let again = millrace.post(&format!("/v1/scans/{id}/cancel"), &json!({})).await;
    assert_eq!(again.status(), 202, "cancelling twice is no fault");
    // The history stays.
    let events = millrace.json(&format!("/v1/events?aggregate_id={id}")).await;
    let last = events["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["type"], "scan.cancelled");
}

#[tokio::test]
async fn a_scan_goes_on_after_its_process_was_killed() {
    let mut millrace = Millrace::new();
    millrace.up();
    let site = SlowSite::serve(Duration::from_millis(300)).await;
    let id = millrace.scan(json!({ "kind": "website", "url": site.url })).await;
    millrace.wait_for(&id, &["running"]).await;
    assert_eq!(millrace.end("KILL"), None);
    millrace.up();
    let scan = millrace.wait_for(&id, &["completed", "failed"]).await;
    assert_eq!(scan["state"], "completed", "{scan}");
    assert_eq!(scan["attempt"], 2, "{scan}");
}

#[tokio::test]
async fn the_same_command_under_the_same_key_happens_once() {
    let mut millrace = Millrace::new();
    millrace.up();
    let client = reqwest::Client::new();
    let target = json!({ "kind": "repository", "path": millrace.targets() });
    let mut ids = Vec::new();
    for _ in 0..3 {
        let response = client
            .post(format!("{}/v1/scans", millrace.base))
            .bearer_auth(&millrace.key)
            .header("content-type", "application/json")
            .header("idempotency-key", "once")
            .body(json!({ "target": target }).to_string())
            .send()
            .await
            .unwrap();
        ids.push(body(response).await["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0], ids[2]);
    millrace.wait_for(ids[0].as_str().unwrap(), &["completed"]).await;
    assert_eq!(millrace.json("/v1/scans").await["scans"].as_array().unwrap().len(), 1);
}
