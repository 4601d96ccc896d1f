//! Requests of keys that demand signatures, signed here without the code that checks them.

use base64::{Engine, engine::general_purpose::STANDARD};
use journal::{Clock, SystemClock};
use reqwest::Method;
use ring::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};

use crate::{
    accounts::server,
    support::{Answer, Server, send, website},
};

struct Signer {
    pair: Ed25519KeyPair,
    key_id: String,
    secret: String,
}

/// What a signature says, before it is changed for a test.
#[derive(Clone)]
struct Says {
    covered: Vec<&'static str>,
    created: i64,
    nonce: Option<String>,
    keyid: String,
}

impl Signer {
    async fn issued(server: &Server, seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = STANDARD.encode(pair.public_key());
        let body = json!({ "name": "signed", "scopes": ["*"], "signing_key": public });
        let issued = server.post("/v1/keys", &body).await;
        assert_eq!(issued.status, 202, "{}", issued.text);
        let issued = issued.json();
        let text = |name: &str| issued[name].as_str().unwrap().to_owned();
        let signer = Self { pair, key_id: text("id"), secret: text("secret") };
        let position = issued["position"].as_u64().unwrap();
        let known = server.request(Method::GET, "/v1/keys?limit=1");
        assert_eq!(send(known.header("millrace-min-position", position)).await.status, 200);
        signer
    }

    fn says(&self, covered: &[&'static str]) -> Says {
        Says {
            covered: covered.to_vec(),
            created: SystemClock.now().timestamp(),
            nonce: Some(SystemClock.new_id().to_string()),
            keyid: self.key_id.clone(),
        }
    }

    fn request(
        &self,
        server: &Server,
        (method, target): (Method, &str),
        body: Option<&Value>,
        says: &Says,
    ) -> reqwest::RequestBuilder {
        let body = body.map(|body| body.to_string());
        let hash = digest(&SHA256, body.as_deref().unwrap_or_default().as_bytes());
        let content_digest = format!("sha-256=:{}:", STANDARD.encode(hash));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let names: Vec<_> = says.covered.iter().map(|name| format!("\"{name}\"")).collect();
        let mut params = format!("({});created={}", names.join(" "), says.created);
        params.push_str(&format!(";keyid=\"{}\"", says.keyid));
        if let Some(nonce) = &says.nonce {
            params.push_str(&format!(";nonce=\"{nonce}\""));
        }
        let mut base = String::new();
        for name in &says.covered {
            let value = match *name {
                "@method" => method.to_string(),
                "@path" => path.to_owned(),
                "@query" => format!("?{query}"),
                "@target-uri" => server.url(target),
                "content-digest" => content_digest.clone(),
                other => panic!("{other}"),
            };
            base.push_str(&format!("\"{name}\": {value}\n"));
        }
        base.push_str(&format!("\"@signature-params\": {params}"));
        let signature = STANDARD.encode(self.pair.sign(base.as_bytes()));
        let mut request = server
            .bare(method, target)
            .bearer_auth(&self.secret)
            .header("signature-input", format!("sig={params}"))
            .header("signature", format!("sig=:{signature}:"));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .header("content-digest", content_digest)
                .body(body);
        }
        request
    }
}

const TARGET: [&str; 3] = ["@method", "@path", "@query"];
const WITH_BODY: [&str; 4] = ["@method", "@path", "@query", "content-digest"];

async fn code(request: reqwest::RequestBuilder) -> String {
    let answer: Answer = send(request).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    answer.code()
}

#[tokio::test]
async fn a_key_that_demands_signatures_takes_signed_requests_alone() {
    let server = server().await;
    let signer = Signer::issued(&server, 7).await;
    let bare = server.bare(Method::GET, "/v1/scans").bearer_auth(&signer.secret);
    assert_eq!(code(bare).await, "signature-required");

    let list = (Method::GET, "/v1/scans?limit=5");
    let says = signer.says(&TARGET);
    let answer = send(signer.request(&server, list.clone(), None, &says)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    // Once: also by another replica.
    assert_eq!(code(signer.request(&server, list.clone(), None, &says)).await, "signature-invalid");
    let other = server.replica().await;
    assert_eq!(code(signer.request(&other, list.clone(), None, &says)).await, "signature-invalid");
    let whole = signer.says(&["@method", "@target-uri"]);
    let answer = send(signer.request(&server, list, None, &whole)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);

    let scans = (Method::POST, "/v1/scans");
    let says = signer.says(&WITH_BODY);
    let answer = send(signer.request(&server, scans, Some(&website()), &says)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
}

#[tokio::test]
async fn what_is_not_signed_or_not_by_the_key_is_refused() {
    let server = server().await;
    let signer = Signer::issued(&server, 7).await;
    let get = || (Method::GET, "/v1/scans?limit=5");
    let fine = || signer.says(&TARGET);
    let bad = [
        ("not the method", signer.says(&["@path", "@query"])),
        ("not the query", signer.says(&["@method", "@path"])),
        ("too old", Says { created: fine().created - 400, ..fine() }),
        ("from the future", Says { created: fine().created + 60, ..fine() }),
        ("no nonce", Says { nonce: None, ..fine() }),
        ("of another key", Says { keyid: server.owner.key_id.to_string(), ..fine() }),
    ];
    for (what, says) in bad {
        let refused = code(signer.request(&server, get(), None, &says)).await;
        assert_eq!(refused, "signature-invalid", "{what}");
    }
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let (key_id, secret) = (signer.key_id.clone(), signer.secret.clone());
    let stranger = Signer { pair: stranger, key_id, secret };
    let request = stranger.request(&server, get(), None, &fine());
    assert_eq!(code(request).await, "signature-invalid");

    let post = || (Method::POST, "/v1/scans");
    let unsigned_body = signer.request(&server, post(), Some(&website()), &signer.says(&TARGET));
    assert_eq!(code(unsigned_body).await, "signature-invalid");
    let swapped = signer.request(&server, post(), Some(&website()), &signer.says(&WITH_BODY));
    assert_eq!(code(swapped.body(json!({ "target": 1 }).to_string())).await, "signature-invalid");
    // A signature for one target opens no other.
    let (list, says) = (signer.request(&server, get(), None, &fine()).build().unwrap(), "/v1/keys");
    let mut elsewhere = server.bare(Method::GET, says);
    for (name, value) in list.headers() {
        elsewhere = elsewhere.header(name, value);
    }
    assert_eq!(code(elsewhere).await, "signature-invalid");
}

#[tokio::test]
async fn a_key_that_demands_signatures_issues_no_key_without() {
    let server = server().await;
    let signer = Signer::issued(&server, 7).await;
    let plain = json!({ "name": "plain", "scopes": ["scans:read"] });
    let keys = || (Method::POST, "/v1/keys");
    let says = signer.says(&WITH_BODY);
    let refused = send(signer.request(&server, keys(), Some(&plain), &says)).await;
    assert_eq!(refused.code(), "forbidden");
    let wrong = json!({ "name": "x", "scopes": ["*"], "signing_key": "nonsense" });
    assert_eq!(server.post("/v1/keys", &wrong).await.code(), "validation-failed");
}
