//! The demo as a user of the HTTP API.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::show;

/// An event stream that says nothing for so long, not even that it is alive, is broken.
const SILENCE: Duration = Duration::from_secs(60);
const FINDINGS_SHOWN: u32 = 12;

pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// A scan as its user lived through it.
pub struct Watched {
    pub scan: Value,
    /// The most severe ones.
    pub findings: Vec<Value>,
    /// From the request to the answer that it was taken.
    pub accepted: Duration,
    /// From the request to the first read that showed the scan.
    pub visible: Duration,
    /// From the request to the end of the scan.
    pub ended: Duration,
}

impl Watched {
    /// Whether the scan ended as it should: with a result, and nothing left unsaid.
    pub fn is_good(&self) -> bool {
        self.scan["state"] == "completed" && self.scan["findings"].as_u64().is_some_and(|n| n > 0)
    }
}

impl Client {
    pub fn new(address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        Ok(Self {
            http: crate::http::client(None)?,
            base: format!("http://{address}"),
            key: key.to_owned(),
        })
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub async fn scan_and_watch(&self, target: &Value) -> anyhow::Result<Watched> {
        let started = Instant::now();
        let response = self
            .http
            .post(format!("{}/v1/scans", self.base))
            .bearer_auth(&self.key)
            .header("content-type", "application/json")
            .body(json!({ "target": target }).to_string())
            .send()
            .await?;
        let accepted = started.elapsed();
        let position = header(&response, "millrace-position").unwrap_or_default();
        let created = json_of(response).await?;
        let id = created["id"].as_str().context("the answer names no scan")?.to_owned();
        let path = format!("/v1/scans/{id}");
        self.get(&path, Some(&position)).await?;
        let visible = started.elapsed();
        show::began(target, &id);

        let end = self.follow(&id, &position).await?;
        let ended = started.elapsed();
        let scan = self.get(&path, Some(&end)).await?;
        let page = self.get(&format!("{path}/findings?limit={FINDINGS_SHOWN}"), Some(&end)).await?;
        let findings = page["findings"].as_array().cloned().unwrap_or_default();
        Ok(Watched { scan, findings, accepted, visible, ended })
    }

    /// Shows the scan's events as they come; gives the position of the last.
    async fn follow(&self, id: &str, from: &str) -> anyhow::Result<String> {
        let before = from.parse::<u64>().unwrap_or(1).saturating_sub(1);
        let url = format!("{}/v1/events/stream?aggregate_id={id}&after={before}", self.base);
        let mut response = checked(self.http.get(url).bearer_auth(&self.key).send().await?).await?;
        let mut buffer = String::new();
        loop {
            let chunk = tokio::time::timeout(SILENCE, response.chunk())
                .await
                .context("the event stream fell silent")??;
            let Some(chunk) = chunk else { bail!("the event stream ended before the scan did") };
            buffer.push_str(&String::from_utf8_lossy(&chunk));
            while let Some(end) = buffer.find("\n\n") {
                let message: String = buffer.drain(..end + 2).collect();
                let Some(data) = message.lines().find_map(|line| line.strip_prefix("data:")) else {
                    continue;
                };
                let event: Value = serde_json::from_str(data.trim_start())?;
                show::event(&event);
                let ended = ["scan.completed", "scan.failed", "scan.cancelled"];
                if event["type"].as_str().is_some_and(|name| ended.contains(&name)) {
                    return Ok(event["position"].to_string());
                }
            }
        }
    }

    async fn get(&self, path: &str, min_position: Option<&str>) -> anyhow::Result<Value> {
        let mut request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(position) = min_position {
            request = request.header("Millrace-Min-Position", position);
        }
        json_of(request.send().await?).await
    }
}

fn header(response: &reqwest::Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

async fn checked(response: reqwest::Response) -> anyhow::Result<reqwest::Response> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    bail!("{status}: {}", response.text().await.unwrap_or_default())
}

pub async fn json_of(response: reqwest::Response) -> anyhow::Result<Value> {
    Ok(serde_json::from_slice(&checked(response).await?.bytes().await?)?)
}
