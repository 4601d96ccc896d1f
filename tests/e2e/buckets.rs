//! The object store in a bucket of an S3-compatible server. `make test-objects` runs it, with such a
//! server's program in `TEST_S3_SERVER`.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    scans::{advisory, weak_repository},
    support::Millrace,
};

const SECRET: &str = "a-secret-that-is-shown-nowhere";

/// A server with one empty bucket, `mill`.
struct S3 {
    server: Child,
    endpoint: String,
    http: reqwest::Client,
}

impl S3 {
    async fn start() -> Self {
        let program = std::env::var_os("TEST_S3_SERVER")
            .expect("TEST_S3_SERVER names the program of an S3-compatible server");
        let mut server = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines().map_while(Result::ok);
        let running = "Running on ";
        let line = lines.find(|line| line.contains(running)).expect("the server did not start");
        let endpoint = line[line.find(running).unwrap() + running.len()..].trim().to_owned();
        // It writes a line for each request, and nobody else empties the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let http = reqwest::Client::new();
        let made = http.put(format!("{endpoint}/mill")).send().await.unwrap();
        assert!(made.status().is_success());
        Self { server, endpoint, http }
    }

    /// The bucket's listing, in XML.
    async fn objects(&self) -> String {
        let url = format!("{}/mill?list-type=2", self.endpoint);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    fn stop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Imports one advisory about the weak repository, and some MB about nothing.
fn import(millrace: &Millrace, id: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut weak = advisory();
    weak["id"] = json!(id);
    fs::write(folder.path().join("weak.json"), weak.to_string()).unwrap();
    for number in 0..3000 {
        let mut other = advisory();
        other["id"] = json!(format!("RUSTSEC-1111-{number:04}"));
        other["details"] = json!("x".repeat(4000));
        other["affected"][0]["package"]["name"] = json!("filler");
        fs::write(folder.path().join(format!("{number}.json")), other.to_string()).unwrap();
    }
    millrace.ok(&["advisories", "import", folder.path().to_str().unwrap()]);
}

async fn scan(millrace: &Millrace, repository: &std::path::Path) -> (String, Value) {
    let id = millrace.scan_path(repository).await;
    let scan = millrace.wait_for(&id, &["completed", "failed"]).await;
    assert_eq!(scan["state"], "completed", "{scan}");
    (id, scan)
}

async fn rules(millrace: &Millrace, id: &str) -> String {
    millrace.json(&format!("/v1/scans/{id}/findings")).await.to_string()
}

async fn object_store(millrace: &Millrace) -> Value {
    let ready = millrace.json("/health/ready").await;
    let dependencies = ready["dependencies"].as_array().unwrap();
    dependencies.iter().find(|one| one["name"] == "object_store").unwrap().clone()
}

#[tokio::test]
async fn a_bucket_holds_what_a_folder_would() {
    let mut millrace = Millrace::new();
    let mut s3 = S3::start().await;
    for (key, value) in [
        ("URL", "s3://mill/one"),
        ("ENDPOINT", s3.endpoint.as_str()),
        ("REGION", "eu-north-1"),
        ("ACCOUNT", "millrace"),
        ("SECRET", SECRET),
    ] {
        millrace.set(&format!("MILLRACE_OBJECTS__{key}"), value);
    }
    let shown = millrace.ok(&["config"]);
    assert!(shown.contains("s3://mill/one") && !shown.contains(SECRET), "{shown}");

    import(&millrace, "RUSTSEC-0000-0001");
    let objects = s3.objects().await;
    assert!(objects.contains("<Key>one/advisories/crates.io.json</Key>"), "{objects}");
    assert!(objects.contains("-2&quot;") || objects.contains("-2\""), "in two parts: {objects}");
    let repository = weak_repository(&millrace, "weak");
    millrace.up();
    assert_eq!(object_store(&millrace).await["ok"], true);

    let (id, first) = scan(&millrace, &repository).await;
    assert_eq!(first["complete"], true, "{first}");
    assert!(rules(&millrace, &id).await.contains("RUSTSEC-0000-0001"));
    let objects = s3.objects().await;
    assert!(objects.contains(&format!("/{id}/000001.ndjson</Key>")), "{objects}");
    let logs = millrace.get(&format!("/v1/scans/{id}/logs")).await.text().await.unwrap();
    assert!(logs.contains("the scan has ended") && logs.contains("event: end"), "{logs}");

    // A worker that runs takes the next import as it comes.
    import(&millrace, "RUSTSEC-0000-0002");
    let (id, _) = scan(&millrace, &repository).await;
    let found = rules(&millrace, &id).await;
    assert!(found.contains("RUSTSEC-0000-0002") && !found.contains("RUSTSEC-0000-0001"), "{found}");

    s3.stop();
    let health = object_store(&millrace).await;
    assert_eq!((&health["ok"], &health["class"]), (&json!(false), &json!("degraded")), "{health}");
    let (id, last) = scan(&millrace, &repository).await;
    assert!(rules(&millrace, &id).await.contains("RUSTSEC-0000-0002"), "the copy is still there");
    let warnings = last["warnings"].to_string();
    assert!(warnings.contains("advisories-not-refreshed"), "{warnings}");
    assert_eq!(millrace.end("TERM"), Some(0));
    assert!(!millrace.log().contains(SECRET), "the log shows the secret");
}

#[tokio::test]
async fn a_bucket_that_cannot_be_reached_is_told_without_its_key() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), advisory().to_string()).unwrap();
    let service_account = json!({
        "disable_oauth": true,
        "private_key": "hunter2",
        "private_key_id": "1",
        "client_email": "mill@example.org",
    });
    let cases = [
        ("gs://mill/one", service_account.to_string()),
        ("az://mill/one", "aHVudGVyMg==".to_owned()),
        ("s3://mill/one", "hunter2".to_owned()),
    ];
    for (url, secret) in cases {
        let mut millrace = Millrace::new();
        millrace.set("MILLRACE_OBJECTS__URL", url);
        // Nobody listens there.
        millrace.set("MILLRACE_OBJECTS__ENDPOINT", "http://127.0.0.1:1");
        millrace.set("MILLRACE_OBJECTS__ACCOUNT", "mill");
        millrace.set("MILLRACE_OBJECTS__SECRET", secret.as_str());
        let output = millrace.run(&["advisories", "import", folder.path().to_str().unwrap()]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains("the object store failed"), "{text}");
        assert!(text.contains("127.0.0.1:1") && !text.contains(secret.as_str()), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
