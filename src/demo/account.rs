//! The demo's user and organisation, made as anybody makes theirs.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::json_of;
use crate::first_start::random;

/// For the mail, and for the key to be known.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
/// What the demo does, and no more.
const SCOPES: [&str; 3] = ["scans:*", "findings:*", "events:read"];

/// An organisation, and a key that scans in it.
pub struct Account {
    pub email: String,
    pub slug: String,
    pub key: String,
    /// The mail that confirmed the address.
    pub mail: PathBuf,
}

struct Visitor {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// A new user for each run: what is in the data directory of an earlier one stays as it is.
pub async fn sign_up(address: SocketAddr, mails: &Path) -> anyhow::Result<Account> {
    let base = format!("http://{address}");
    let mut visitor = Visitor { http: crate::http::client(None)?, base, token: None };
    let (name, password) = (letters(&random()[..6]), letters(&random()));
    let (email, slug) = (format!("{name}@demo.example"), format!("demo-{name}"));
    let login = json!({ "email": email, "password": password });
    visitor.post("/v1/auth/sign-up", login.clone()).await?;
    let (mail, token) = mailed(mails, &email).await?;
    visitor.post("/v1/auth/verify-email", json!({ "token": token })).await?;
    let tokens = visitor.post("/v1/auth/login", login).await?;
    visitor.token = Some(text(&tokens, "access_token")?);
    let organization = json!({ "name": "Demo", "slug": slug });
    visitor.post("/v1/organizations", organization).await?;
    let key = visitor.key(&slug).await?;
    Ok(Account { email, slug, key, mail })
}

impl Visitor {
    async fn post(&self, path: &str, input: Value) -> anyhow::Result<Value> {
        let answer = self.request(Method::POST, path).body(input.to_string()).send().await?;
        json_of(answer).await.with_context(|| path.to_owned())
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json");
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// One that works already.
    async fn key(&self, slug: &str) -> anyhow::Result<String> {
        let input = json!({ "name": "demo", "scopes": SCOPES }).to_string();
        let request = self.request(Method::POST, "/v1/keys").body(input);
        let issued = json_of(request.header("millrace-organization", slug).send().await?).await?;
        let key = text(&issued, "secret")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = self.http.get(format!("{}/v1/scans?limit=1", self.base));
            let answer = request.bearer_auth(&key).send().await?;
            if answer.status() != StatusCode::UNAUTHORIZED {
                json_of(answer).await?;
                return Ok(key);
            }
            if Instant::now() > deadline {
                bail!("the new key is not known after {PATIENCE:?}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The mail to the address, and what its link ends with.
async fn mailed(folder: &Path, email: &str) -> anyhow::Result<(PathBuf, String)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let whole = path.extension().is_some_and(|kind| kind == "eml");
            if let Some(token) = whole.then(|| link_of(&path, email)).flatten() {
                return Ok((path, token));
            }
        }
        if Instant::now() > deadline {
            bail!("no mail to {email} came into {}", folder.display());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn link_of(mail: &Path, email: &str) -> Option<String> {
    let mail = std::fs::read_to_string(mail).ok()?;
    // Quoted-printable, in lines of 76 characters.
    let mail = mail.contains(email).then(|| mail.replace("=\r\n", "").replace("=3D", "="))?;
    let (_, rest) = mail.split_once("/verify-email#token=")?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// In hexadecimal.
fn letters(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    let text = value[field].as_str();
    Ok(text.with_context(|| format!("the answer has no {field}"))?.to_owned())
}
