//! Signing in through a real OpenID provider. `make test-openid` runs it, with the folder that the provider
//! is installed in as `TEST_OPENID_PROVIDER`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use reqwest::{Response, Url, header, redirect::Policy};
use serde_json::{Value, json};

use crate::support::Millrace;

const PUBLIC: &str = "https://mill.example";
const CALLBACK: &str = "https://mill.example/v1/auth/providers/id/callback";
const SECRET: &str = "a secret & more";

struct Provider {
    server: Child,
    issuer: String,
}

impl Provider {
    fn start() -> Self {
        let folder = std::env::var_os("TEST_OPENID_PROVIDER").map(PathBuf::from);
        let folder = folder.expect("TEST_OPENID_PROVIDER names the folder of an OpenID provider");
        let mut server = Command::new("node")
            .arg(folder.join("server.mjs"))
            .args([CALLBACK, SECRET])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        let issuer = lines.find(|line| line.starts_with("http://"));
        let issuer = issuer.expect("the provider did not start");
        std::thread::spawn(move || lines.for_each(drop));
        Self { server, issuer }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A browser at the provider.
struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new() -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { http, cookies: BTreeMap::new() }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        let answer = request.header(header::COOKIE, cookies).send().await.unwrap();
        for line in answer.headers().get_all(header::SET_COOKIE) {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Signs in and agrees; gives where the provider sends the browser back to.
    async fn pass(&mut self, start: &str, login: &str) -> Url {
        let mut at: Url = start.parse().unwrap();
        let mut forms =
            vec!["prompt=consent".to_owned(), format!("prompt=login&login={login}&password=x")];
        loop {
            let answer = self.send(self.http.get(at.clone())).await;
            let answer = if answer.status().is_redirection() {
                answer
            } else {
                let form = forms.pop().expect("the provider asks for more than it should");
                let form = self.http.post(at.clone()).body(form);
                self.send(form.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded"))
                    .await
            };
            let next = answer.headers().get(header::LOCATION).expect("the provider lets nobody on");
            at = at.join(next.to_str().unwrap()).unwrap();
            if at.as_str().starts_with(PUBLIC) {
                return at;
            }
        }
    }
}

async fn sign_in(millrace: &Millrace, login: &str) -> (u16, Value) {
    let mut browser = Browser::new();
    let url = |path: &str| format!("{}{path}", millrace.base);
    let json = |path: &str, body: Value| {
        let request = browser.http.post(url(path)).body(body.to_string());
        request.header(header::CONTENT_TYPE, "application/json")
    };
    let begun = json("/v1/auth/providers/id/begin", json!({})).send().await.unwrap();
    let cookie = begun.headers()[header::SET_COOKIE].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let begun: Value = serde_json::from_slice(&begun.bytes().await.unwrap()).unwrap();
    let back = browser.pass(begun["authorization_url"].as_str().unwrap(), login).await;
    let back = url(&back.as_str()[PUBLIC.len()..]);
    let arrived = browser.http.get(back).header(header::COOKIE, &cookie).send().await.unwrap();
    let arrived: Value = serde_json::from_slice(&arrived.bytes().await.unwrap()).unwrap();
    let body = json!({ "challenge": arrived["challenge"] }).to_string();
    let complete = browser.http.post(url("/v1/auth/providers/complete")).body(body);
    let complete = complete.header(header::CONTENT_TYPE, "application/json");
    let answer = complete.header(header::COOKIE, cookie).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

#[tokio::test]
#[ignore = "it needs an OpenID provider: make test-openid"]
async fn somebody_signs_in_through_an_openid_provider() {
    let provider = Provider::start();
    let mut millrace = Millrace::new();
    let issuer = &provider.issuer;
    millrace.set("MILLRACE_SERVER__PUBLIC_URL", PUBLIC);
    millrace.set("MILLRACE_LIMITS__ALLOWED_NETWORKS", r#"["127.0.0.0/8"]"#);
    millrace.set("MILLRACE_LOGIN__ALLOWED_PRIVATE_RANGES", r#"["127.0.0.0/8"]"#);
    millrace.set(
        "MILLRACE_LOGIN__PROVIDERS",
        format!(
            r#"[{{ name = "id", issuer = "{issuer}", client_id = "mill", client_secret = "{SECRET}" }}]"#
        ),
    );
    millrace.up();
    // Eve says that she has Ada's address, and the provider that she may not.
    let (status, refused) = sign_in(&millrace, "eve").await;
    assert_eq!((status, &refused["code"]), (403, &json!("address-not-confirmed")));
    let (status, tokens) = sign_in(&millrace, "ada").await;
    assert_eq!(status, 200, "{tokens}");
    let (status, again) = sign_in(&millrace, "ada").await;
    assert_eq!(status, 200, "{again}");
    let access = again["access_token"].as_str().unwrap();
    let me = reqwest::Client::new().get(format!("{}/v1/users/me", millrace.base));
    let me = me.bearer_auth(access).send().await.unwrap();
    let me: Value = serde_json::from_slice(&me.bytes().await.unwrap()).unwrap();
    assert_eq!((&me["email"], &me["name"]), (&json!("ada@example.org"), &json!("Ada Lovelace")));
    assert!(!millrace.log().contains(SECRET));
}
