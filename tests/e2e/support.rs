use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Enough for a loaded machine; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Status of a Rust program that panicked.
const PANICKED: i32 = 101;

/// A data directory and whatever runs on it.
pub struct Millrace {
    pub folder: TempDir,
    environment: Vec<(String, String)>,
    pub process: Option<Child>,
    pub base: String,
    pub key: String,
    http: reqwest::Client,
}

impl Millrace {
    /// An empty installation that may scan the folder `targets` below its own and this machine.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("millrace-e2e-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("targets")).unwrap();
        open_to_all(folder.path());
        let targets = folder.path().join("targets").display().to_string();
        let environment = vec![
            ("MILLRACE_DATA_DIR".into(), folder.path().join("data").display().to_string()),
            ("MILLRACE_SERVER__LISTEN".into(), "127.0.0.1:0".into()),
            ("MILLRACE_SCANS__ALLOWED_PATHS".into(), json!([targets]).to_string()),
            ("MILLRACE_SCANS__ALLOWED_PRIVATE_RANGES".into(), r#"["127.0.0.0/8"]"#.into()),
            ("MILLRACE_JOBS__LEASE_S".into(), "2".into()),
            ("MILLRACE_JOBS__SWEEP_S".into(), "1".into()),
            ("MILLRACE_JOBS__DRAIN_TIMEOUT_S".into(), "1".into()),
        ];
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            folder,
            environment,
            process: None,
            base: String::new(),
            key: String::new(),
            http: reqwest::Client::builder().timeout(PATIENCE).build().unwrap(),
        }
    }

    pub fn set(&mut self, variable: &str, value: impl Into<String>) {
        self.environment.push((variable.to_owned(), value.into()));
    }

    pub fn targets(&self) -> PathBuf {
        self.folder.path().join("targets")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for inherited in ["DATABASE_URL", "NATS_URL", "MILLRACE_CONFIG"] {
            command.env_remove(inherited);
        }
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Runs a command of the operator to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; gives what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}{errors}");
        text
    }

    /// Starts `millrace up` and waits until it serves.
    pub fn up(&mut self) {
        self.start(&["up"]);
    }

    pub fn start(&mut self, arguments: &[&str]) {
        let log = self.folder.path().join("millrace.log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Read on to the end: nobody else empties the pipe.
                let _ = sender.send(line);
            }
        });
        self.process = Some(child);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .unwrap_or_else(|_| panic!("millrace did not start: {}", self.log()));
            let mut words = line.split_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some("API"), Some("key"), Some(key)) => key.clone_into(&mut self.key),
                (Some("API"), Some(url), _) if url.starts_with("http://") => {
                    url.trim_end_matches("/v1").clone_into(&mut self.base);
                    return;
                }
                _ => {}
            }
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("millrace.log")).unwrap_or_default()
    }

    /// Sends a signal and waits for the end; gives the exit code, if there was one.
    pub fn end(&mut self, signal: &str) -> Option<i32> {
        let mut child = self.process.take().unwrap();
        signal_to(child.id(), signal);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert_ne!(status.code(), Some(PANICKED), "{}", self.log());
                return status.code();
            }
            assert!(Instant::now() < deadline, "millrace does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Processes whose command line names this installation's folder.
    pub fn processes(&self) -> Vec<String> {
        let folder = self.folder.path().display().to_string();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().map_while(Result::ok) {
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            if command.contains(&folder) {
                found.push(command);
            }
        }
        found
    }

    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.http
            .post(format!("{}{path}", self.base))
            .bearer_auth(&self.key)
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap()
    }

    pub async fn as_person(
        &self,
        method: reqwest::Method,
        path: &str,
        access: &str,
    ) -> reqwest::Response {
        let request = self.http.request(method, format!("{}{path}", self.base));
        request.bearer_auth(access).send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.key);
        request.send().await.unwrap_or_else(|error| panic!("{path}: {error}: {}", self.log()))
    }

    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        body(response).await
    }

    /// Asks for a scan; gives its id.
    pub async fn scan(&self, target: Value) -> String {
        let response = self.post("/v1/scans", &json!({ "target": target })).await;
        assert_eq!(response.status(), 202);
        body(response).await["id"].as_str().unwrap().to_owned()
    }

    pub async fn scan_path(&self, path: &Path) -> String {
        self.scan(json!({ "kind": "repository", "path": path })).await
    }

    /// Until the scan is in one of the states; gives it.
    pub async fn wait_for(&self, id: &str, states: &[&str]) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = self.get(&format!("/v1/scans/{id}")).await;
            if response.status().is_success() {
                let scan = body(response).await;
                if states.contains(&scan["state"].as_str().unwrap()) {
                    return scan;
                }
            }
            assert!(Instant::now() < deadline, "{id} never came to {states:?}: {}", self.log());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

impl Millrace {
    /// The token of the link to a page, of the newest mail that has one.
    pub async fn mailed(&self, page: &str) -> String {
        let folder = self.folder.path().join("data/mails");
        let mut token = None;
        eventually("a mail", || {
            let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut mails: Vec<_> = files.map(|file| file.path()).collect();
            mails.sort();
            token = mails.iter().rev().find_map(|file| link_of(file, page));
            token.is_some()
        })
        .await;
        token.unwrap()
    }
}

fn link_of(mail: &Path, page: &str) -> Option<String> {
    let mail = std::fs::read_to_string(mail).ok()?.replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = mail.split_once(&format!("/{page}#token="))?;
    rest.split_whitespace().next().map(str::to_owned)
}

impl Drop for Millrace {
    fn drop(&mut self) {
        if let Some(child) = &self.process {
            signal_to(child.id(), "TERM");
        }
        if let Some(mut child) = self.process.take() {
            let _ = child.wait();
        }
    }
}

/// One more process, which ends with the test.
pub struct Beside(Child);

impl Millrace {
    /// Makes room for another process on the same installation.
    pub fn beside(&mut self) -> Beside {
        Beside(self.process.take().unwrap())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        signal_to(self.0.id(), "TERM");
        let _ = self.0.wait();
    }
}

pub async fn body(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

pub fn signal_to(pid: u32, signal: &str) {
    let status = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status();
    assert!(status.unwrap().success());
}

/// Servers and engines of root run as users without rights.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Polls until it holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A website on this machine that takes its time for each answer.
pub struct SlowSite {
    pub url: String,
    task: tokio::task::JoinHandle<()>,
}

impl SlowSite {
    pub async fn serve(pause: Duration) -> Self {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request).await;
                    tokio::time::sleep(pause).await;
                    let page = "<html><title>slow</title></html>";
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                        page.len()
                    );
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { url, task }
    }
}

impl Drop for SlowSite {
    fn drop(&mut self) {
        self.task.abort();
    }
}
