#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Stdio;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, KeyPair};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const SCRIPT: &str = include_str!("sink.py");

/// An SMTP server in a process of its own, gone with the test.
pub struct MailSink {
    pub port: u16,
    /// What to trust, where it speaks TLS.
    pub roots: Vec<u8>,
    lines: Lines<BufReader<ChildStdout>>,
    _folder: tempfile::TempDir,
    _process: Child,
}

/// A mail as it arrived.
#[derive(Debug, Deserialize)]
pub struct ArrivedMail {
    pub from: String,
    pub to: Vec<String>,
    pub content: String,
    pub tls: bool,
    pub hello: String,
    pub user: Option<String>,
}

impl MailSink {
    pub async fn plain() -> Self {
        Self::start("none", None).await
    }

    /// `tls` is `none`, `starttls` or `at_once`.
    pub async fn start(tls: &str, login: Option<[&str; 2]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.pem");
        let roots = certificate(&file);
        let settings = json!({ "tls": tls, "login": login, "certificate": file });
        let mut process = Command::new("/usr/bin/python3")
            .args(["-I", "-c", SCRIPT, &settings.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap();
        let port = port.expect("no SMTP server for a test: is python3-aiosmtpd installed?");
        let port = port.parse().unwrap();
        Self { port, roots, lines, _folder: folder, _process: process }
    }

    pub async fn next(&mut self) -> ArrivedMail {
        let line = self.lines.next_line().await.unwrap().expect("the SMTP server ended");
        serde_json::from_str(&line).unwrap()
    }
}

/// Writes a key and its certificate for `localhost`, and gives back the certificate.
fn certificate(file: &Path) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = pem("CERTIFICATE", params.self_signed(&key).unwrap().der());
    std::fs::write(file, pem("PRIVATE KEY", key.serialized_der()) + &certificate).unwrap();
    certificate.into_bytes()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
