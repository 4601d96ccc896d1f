//! An issuer of OpenID Connect that says and signs whatever a test wants, as no good one would.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use credentials::oidc::s256;
use journal::{Clock, SystemClock};
use poem::{
    EndpointExt, Request, Response, Route, Server, get, handler,
    http::StatusCode,
    listener::TcpAcceptor,
    post,
    web::{Data, Form},
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// In seconds since 1970.
pub fn now() -> i64 {
    SystemClock.now().timestamp()
}

/// What tokens are meant for.
pub const AUDIENCE: &str = "https://mill.example";

pub struct Issuer {
    pub url: String,
    state: Arc<State>,
    _stop: DropGuard,
}

pub struct State {
    key: Mutex<(String, Ed25519KeyPair)>,
    /// Takes the place of what it says of itself where it is not null.
    discovery: Mutex<Value>,
    /// Answers every request for its discovery document with a redirect there.
    redirect: Mutex<Option<String>>,
    codes: Mutex<HashMap<String, Code>>,
    asked: AtomicUsize,
    asked_for_keys: AtomicUsize,
}

/// Somebody who was let in.
struct Code {
    asked: HashMap<String, String>,
    claims: Value,
    user_info: Value,
}

impl State {
    fn sign(&self, claims: &Value) -> String {
        let (kid, key) = &*self.key.lock().unwrap();
        let header = json!({ "alg": "EdDSA", "kid": kid, "typ": "JWT" });
        signed(&header, claims, |message| key.sign(message).as_ref().to_vec())
    }
}

impl Issuer {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            key: Mutex::new(("first".to_owned(), key(1))),
            discovery: Mutex::new(discovery(&url)),
            redirect: Mutex::default(),
            codes: Mutex::default(),
            asked: AtomicUsize::default(),
            asked_for_keys: AtomicUsize::default(),
        });
        let stop = CancellationToken::new();
        let app = Route::new()
            .at("/.well-known/openid-configuration", get(configuration))
            .at("/jwks", get(jwks))
            .at("/token", post(token))
            .at("/userinfo", get(user_info))
            .data(Arc::clone(&state));
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        let stopped = stop.clone().cancelled_owned();
        let server = Server::new_with_acceptor(acceptor);
        tokio::spawn(server.run_with_graceful_shutdown(app, stopped, None));
        Self { url, state, _stop: stop.drop_guard() }
    }

    /// What a good token says of this person.
    pub fn claims(&self, sub: &str) -> Value {
        let now = now();
        json!({ "iss": self.url, "sub": sub, "aud": AUDIENCE, "iat": now, "exp": now + 300 })
    }

    pub fn token(&self, sub: &str) -> String {
        self.sign(&self.claims(sub))
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.state.sign(claims)
    }

    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        signed(header, claims, |message| {
            self.state.key.lock().unwrap().1.sign(message).as_ref().to_vec()
        })
    }

    /// Lets the person in whom the claims tell of, at the request that the browser was sent with; gives
    /// the code that it comes back with.
    pub fn admit(&self, authorization_url: &str, claims: Value) -> String {
        let asked: HashMap<_, _> =
            Url::parse(authorization_url).unwrap().query_pairs().into_owned().collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        let mut codes = self.state.codes.lock().unwrap();
        let code = format!("code {}", codes.len());
        codes.insert(code.clone(), Code { asked, claims, user_info: Value::Null });
        code
    }

    /// What it tells beside the token of the last person let in.
    pub fn tell(&self, code: &str, told: Value) {
        self.state.codes.lock().unwrap().get_mut(code).unwrap().user_info = told;
    }

    /// The bytes that everybody can read who asks for the keys.
    pub fn public_key(&self) -> Vec<u8> {
        self.state.key.lock().unwrap().1.public_key().as_ref().to_vec()
    }

    pub fn rotate(&self) {
        *self.state.key.lock().unwrap() = ("second".to_owned(), key(2));
    }

    pub fn say(&self, field: &str, value: Value) {
        self.state.discovery.lock().unwrap()[field] = value;
    }

    pub fn redirect_to(&self, url: String) {
        *self.state.redirect.lock().unwrap() = Some(url);
    }

    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    pub fn asked_for_keys(&self) -> usize {
        self.state.asked_for_keys.load(Ordering::SeqCst)
    }
}

pub fn signed(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(sign(signed.as_bytes())))
}

fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn discovery(url: &str) -> Value {
    json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/jwks"),
    })
}

#[handler]
fn configuration(state: Data<&Arc<State>>) -> Response {
    state.asked.fetch_add(1, Ordering::SeqCst);
    if let Some(url) = state.redirect.lock().unwrap().as_ref() {
        return Response::builder().status(StatusCode::FOUND).header("location", url).finish();
    }
    Response::builder().body(state.discovery.lock().unwrap().to_string())
}

#[handler]
fn jwks(state: Data<&Arc<State>>) -> String {
    state.asked.fetch_add(1, Ordering::SeqCst);
    state.asked_for_keys.fetch_add(1, Ordering::SeqCst);
    let (kid, key) = &*state.key.lock().unwrap();
    let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x }] }).to_string()
}

/// The secret of the client `mill`, as RFC 6749 wants it to be written: `p&w d`.
const MILL: &str = "Basic bWlsbDpwJTI2dytk";

#[handler]
fn token(
    state: Data<&Arc<State>>,
    request: &Request,
    form: Form<HashMap<String, String>>,
) -> Response {
    let refused = || {
        let body = json!({ "error": "invalid_grant" }).to_string();
        Response::builder().status(StatusCode::BAD_REQUEST).body(body)
    };
    assert_eq!(request.header("authorization"), Some(MILL));
    assert_eq!(form["grant_type"], "authorization_code");
    let codes = state.codes.lock().unwrap();
    let Some(code) = codes.get(&form["code"]) else { return refused() };
    if s256(&form["code_verifier"]) != code.asked["code_challenge"]
        || form["redirect_uri"] != code.asked["redirect_uri"]
    {
        return refused();
    }
    let mut claims = json!({ "aud": code.asked["client_id"], "nonce": code.asked["nonce"] });
    for (name, value) in code.claims.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let answer = json!({ "id_token": state.sign(&claims), "access_token": form["code"], "token_type": "Bearer" });
    Response::builder().content_type("application/json").body(answer.to_string())
}

#[handler]
fn user_info(state: Data<&Arc<State>>, request: &Request) -> String {
    let given = request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    state.codes.lock().unwrap()[given].user_info.to_string()
}
