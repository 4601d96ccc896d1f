use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use api::{ClientOptions, LoginOptions, ProviderKind, ProviderOptions};
use credentials::oidc::s256;
use poem::{
    EndpointExt, Request, Response, Route, get, handler,
    http::StatusCode,
    listener::TcpAcceptor,
    post,
    web::{Data, Form},
};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::{browser::Browser, loopback, server_of};
use crate::support::Server;

/// A server that speaks what is used of GitHub.
struct GitHub {
    url: String,
    state: Arc<State>,
    _stop: DropGuard,
}

#[derive(Default)]
struct State {
    /// Of the request for a code.
    challenge: Mutex<String>,
    emails: Mutex<Value>,
}

impl GitHub {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, stop) = (Arc::<State>::default(), CancellationToken::new());
        let app = Route::new()
            .at("/login/oauth/access_token", post(access_token))
            .at("/api/user", get(user))
            .at("/api/user/emails", get(emails))
            .data(Arc::clone(&state));
        let acceptor = TcpAcceptor::from_tokio(listener).unwrap();
        let server = poem::Server::new_with_acceptor(acceptor);
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(server.run_with_graceful_shutdown(app, stopped, None));
        Self { url, state, _stop: stop.drop_guard() }
    }

    fn options(&self) -> LoginOptions {
        let api = Some(format!("{}/api", self.url).parse().unwrap());
        let secret = Some("hub secret".to_owned().into());
        let provider = ProviderOptions {
            name: "id".to_owned(),
            kind: ProviderKind::GitHub { api },
            issuer: self.url.clone(),
            client: Some(ClientOptions { id: "mill".to_owned(), secret }),
            scopes: vec!["read:user".to_owned(), "user:email".to_owned()],
            audiences: Vec::new(),
            jwks_url: None,
            authoritative: false,
            trusts_addresses: false,
            trusts_second_factor: false,
        };
        LoginOptions { providers: vec![provider], addresses: loopback(), ..LoginOptions::default() }
    }

    async fn sign_in(&self, server: &Server, code: &str) -> crate::support::Answer {
        let browser = Browser::begin(server, None).await;
        let url = Url::parse(&browser.sent_to).unwrap();
        assert!(browser.sent_to.starts_with(&format!("{}/login/oauth/authorize?", self.url)));
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(
            (asked["client_id"].as_str(), asked["scope"].as_str()),
            ("mill", "read:user user:email")
        );
        *self.state.challenge.lock().unwrap() = asked["code_challenge"].clone();
        let answer = browser.comes_back(code).await;
        if answer.status != 200 {
            return answer;
        }
        browser.goes_on(&answer.json()["challenge"]).await
    }
}

#[handler]
fn access_token(state: Data<&Arc<State>>, form: Form<HashMap<String, String>>) -> Response {
    assert_eq!(
        (form["client_id"].as_str(), form["client_secret"].as_str()),
        ("mill", "hub secret")
    );
    let right = s256(&form["code_verifier"]) == *state.challenge.lock().unwrap();
    let body = match right && form["code"] == "right" {
        true => {
            json!({ "access_token": "gho_16C7e4", "scope": "read:user,user:email", "token_type": "bearer" })
        }
        false => json!({ "error": "bad_verification_code", "error_description": "..." }),
    };
    Response::builder().content_type("application/json").body(body.to_string())
}

#[handler]
fn user(request: &Request) -> Response {
    if request.header("authorization") != Some("Bearer gho_16C7e4")
        || request.header("user-agent").is_none()
    {
        return StatusCode::FORBIDDEN.into();
    }
    Response::builder()
        .body(json!({ "login": "ada", "id": 583_231, "name": "Ada Lovelace" }).to_string())
}

#[handler]
fn emails(state: Data<&Arc<State>>) -> String {
    state.emails.lock().unwrap().to_string()
}

#[tokio::test]
async fn somebody_signs_in_through_github_by_the_address_that_it_has_confirmed() {
    let github = GitHub::start().await;
    let server = server_of(github.options()).await;
    let address = |email: &str, primary: bool, verified: bool| json!({ "email": email, "primary": primary, "verified": verified, "visibility": null });
    let say = |told: Value| *github.state.emails.lock().unwrap() = told;

    say(json!([address("ada@example.org", true, false), address("b@example.org", false, true)]));
    assert_eq!(github.sign_in(&server, "right").await.code(), "address-not-confirmed");
    say(json!([]));
    assert_eq!(github.sign_in(&server, "right").await.code(), "address-not-confirmed");
    say(json!([address("b@example.org", false, true), address("ada@example.org", true, true)]));
    assert_eq!(github.sign_in(&server, "wrong").await.code(), "unauthenticated");
    let answer = github.sign_in(&server, "right").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let access = answer.json()["access_token"].as_str().unwrap().to_owned();
    let me = server.fresh_as("/v1/users/me", &access).await;
    assert_eq!((&me["email"], &me["name"]), (&json!("ada@example.org"), &json!("Ada Lovelace")));
    let listed = server.fresh_as("/v1/users/me/identities", &access).await;
    assert_eq!(listed["identities"][0]["subject"], "583231");
    // It is known by its number, not by the address.
    say(json!([]));
    assert_eq!(github.sign_in(&server, "right").await.status, 200);

    say(json!("not a list"));
    assert_eq!(github.sign_in(&server, "right").await.code(), "unavailable");
}
