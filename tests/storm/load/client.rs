//! HTTP as a careful client speaks it: every command under a key, sent again until it is answered.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    record::{Answer, Command, Receipt, Record, What},
    world::{SLUG, World},
};

/// A front end that was stopped holds its requests; another one may answer.
const PATIENCE: Duration = Duration::from_secs(6);
/// So many requests are left before they are answered, mostly in the middle of being carried out.
const HASTY: f64 = 0.08;
const HASTY_MILLIS: std::ops::Range<u64> = 1..60;
const PAUSE_MILLIS: std::ops::Range<u64> = 20..300;

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    bases: [String; 2],
    key: String,
    organization: String,
    trees: Vec<String>,
}

impl Client {
    pub fn new(world: &World) -> Self {
        Self {
            http: reqwest::Client::builder().timeout(PATIENCE).build().unwrap(),
            bases: world.bases.clone(),
            key: world.key.clone(),
            organization: world.organization.clone(),
            trees: world.targets().iter().map(|tree| tree.display().to_string()).collect(),
        }
    }

    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// A request to one of the front ends.
    pub fn ask(&self, method: Method, path: &str, chance: &mut StdRng) -> RequestBuilder {
        let base = &self.bases[chance.random_range(0..self.bases.len())];
        self.http.request(method, format!("{base}{path}")).bearer_auth(&self.key)
    }

    /// Gives a command until it is answered, and writes down what came of it.
    pub async fn command(
        &self,
        record: &Record,
        key: &str,
        what: What,
        chance: &mut StdRng,
    ) -> Answer {
        let sent_under =
            if let What::KeyOfAnother { key } = &what { key.clone() } else { key.to_owned() };
        let (request_ids, answer) = self.send(record, key, &sent_under, &what, chance).await;
        let written = answer.clone();
        record.add(Command { key: key.to_owned(), what, request_ids, answer: written });
        answer
    }

    /// Gives a command that was answered before once more, under the key of then.
    pub async fn repeat(
        &self,
        record: &Record,
        key: &str,
        original: &str,
        what: &What,
        chance: &mut StdRng,
    ) -> Answer {
        let (request_ids, answer) = self.send(record, key, original, what, chance).await;
        let (key, what) = (key.to_owned(), What::Again { key: original.to_owned() });
        record.add(Command { key, what, request_ids, answer: answer.clone() });
        answer
    }

    async fn send(
        &self,
        record: &Record,
        name: &str,
        key: &str,
        what: &What,
        chance: &mut StdRng,
    ) -> (Vec<String>, Answer) {
        let mut request_ids = Vec::new();
        loop {
            let request_id = format!("{name}.{}", request_ids.len());
            request_ids.push(request_id.clone());
            let request = self.request(what, key, chance).header("X-Request-Id", request_id);
            let patience = if chance.random_bool(HASTY) {
                record.count("answers not waited for");
                Duration::from_millis(chance.random_range(HASTY_MILLIS))
            } else {
                PATIENCE
            };
            if let Ok(Ok(response)) = timeout(patience, request.send()).await
                && let Some(answer) = verdict(record, response).await
            {
                return (request_ids, answer);
            }
            record.count("sent again");
            let pause = Duration::from_millis(chance.random_range(PAUSE_MILLIS));
            tokio::time::sleep(pause).await;
        }
    }

    fn request(&self, what: &What, key: &str, chance: &mut StdRng) -> RequestBuilder {
        let scan = |path: &str| json!({"target": {"kind": "repository", "path": path}});
        let scans = || "/v1/scans".to_owned();
        let (method, path, body) = match what {
            What::Request { tree } => {
                let mut body = scan(&self.trees[*tree]);
                if tree % 2 == 0 {
                    body["engines"] = json!(["secrets"]);
                }
                (Method::POST, scans(), Some(body))
            }
            What::Cancel { scan, .. } => (Method::POST, format!("/v1/scans/{scan}/cancel"), None),
            What::Rename { name } => {
                let path = format!("/v1/organizations/{}", self.organization);
                (Method::PUT, path, Some(json!({"name": name, "slug": SLUG})))
            }
            What::Nonsense => (Method::POST, scans(), Some(scan("not/absolute"))),
            What::KeyOfAnother { .. } => (Method::POST, scans(), Some(scan("/another/request"))),
            What::Again { .. } => unreachable!("it is sent as the command it repeats"),
        };
        let mut request = self.ask(method, &path, chance).header("Idempotency-Key", key);
        if let What::Cancel { pinned: Some(version), .. } = what {
            request = request.header("If-Match", format!("\"{version}\""));
        }
        match body {
            Some(body) => request.header("Content-Type", "application/json").body(body.to_string()),
            None => request,
        }
    }
}

/// What an answer says; `None` when it leaves the outcome open.
async fn verdict(record: &Record, response: Response) -> Option<Answer> {
    let status = response.status().as_u16();
    let replayed = response.headers().contains_key("idempotency-replayed");
    let body: Value = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
    match status {
        202 => Some(Answer::Accepted(Receipt {
            id: body["id"].as_str()?.to_owned(),
            version: body["version"].as_u64()?,
            position: body["position"].as_u64()?,
            replayed,
        })),
        429 | 503 => None,
        400..=499 if status != 401 && status != 408 => {
            let code = body["code"].as_str().unwrap_or_default().to_owned();
            Some(Answer::Refused { status, code })
        }
        _ => {
            record.broken(format!("a command was answered with {status}: {body}"));
            None
        }
    }
}
