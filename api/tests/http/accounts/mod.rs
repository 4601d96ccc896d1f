//! Accounts as people and attackers meet them.

mod attacks;
mod audit;
mod authenticator;
mod cookies;
mod factors;
mod guesses;
mod passkeys;
mod passwords;
mod people;
mod profile;
mod providers;
mod sessions;

use std::time::Duration;

use api::{Options, limits::LimitOptions};
use domain::{
    ids::UserId,
    users::{RESET_LINK, User, VERIFY_LINK, own_organization},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, send, soon, with_json};

pub const PASSWORD: &str = "violet anchor meadow 7";

/// Quick to hash, so that a test takes no longer than what it is about.
fn options() -> Options {
    let passwords = credentials::password::PasswordOptions {
        memory_kib: 64,
        iterations: 1,
        ..Default::default()
    };
    let passkeys = Some(credentials::passkey::RelyingPartyOptions {
        id: "mill.example".to_owned(),
        name: "Mill".to_owned(),
        origins: vec!["https://app.mill.example".to_owned()],
    });
    Options { passwords, passkeys, ..Options::default() }
}

pub async fn server() -> Server {
    Server::with(options()).await
}

pub async fn server_with(limits: LimitOptions) -> Server {
    Server::with(Options { limits, ..options() }).await
}

/// Another installation.
async fn server_of(master: u8) -> Server {
    Server::with_master(options(), master).await
}

/// Somebody who has signed in.
pub struct Person {
    pub id: UserId,
    pub email: String,
    pub tokens: Value,
}

impl Person {
    pub fn access(&self) -> &str {
        self.tokens["access_token"].as_str().unwrap()
    }

    fn refresh(&self) -> &str {
        self.tokens["refresh_token"].as_str().unwrap()
    }
}

impl Server {
    pub async fn ask(&self, path: &str, body: Value) -> Answer {
        send(with_json(self.bare(Method::POST, path), &body)).await
    }

    async fn as_guest(&self, path: &str) -> Answer {
        send(self.bare(Method::GET, path)).await
    }

    pub async fn as_person(&self, method: Method, path: &str, access: &str) -> Answer {
        send(self.bare(method, path).bearer_auth(access)).await
    }

    async fn sign_up(&self, email: &str) -> Answer {
        let body = json!({ "email": email, "password": PASSWORD, "name": "Ada Lovelace" });
        self.ask("/v1/auth/sign-up", body).await
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.ask("/v1/auth/login", json!({ "email": email, "password": password })).await
    }

    /// Who has the account of the address.
    pub async fn user(&self, email: &str) -> Option<UserId> {
        let index = self.journal.secret().unwrap().blind_index().email(&email.parse().unwrap());
        let claim = domain::users::EMAIL_CLAIM;
        let owner = self.journal.claimed_by(claim, &index.to_string()).await.unwrap();
        owner.map(|id| id.parse().unwrap())
    }

    pub async fn state(&self, user: UserId) -> User {
        let state = self.journal.state(own_organization(user), &user.to_string()).await;
        state.unwrap().unwrap().0
    }

    /// What the links of the mails end with: to confirm, and to choose a new password.
    async fn links(&self, user: UserId) -> [Option<String>; 2] {
        let (state, id) = (self.state(user).await, user.to_string());
        let links = self.journal.secret().unwrap().link_key();
        let token = |purpose: &str, nonce: &str| {
            format!("{id}.{}", links.token(purpose, &id, nonce).expose())
        };
        [
            state.verification.map(|open| token(VERIFY_LINK, &open.nonce)),
            state.reset.map(|open| token(RESET_LINK, &open.nonce)),
        ]
    }

    async fn confirmed(&self, email: &str) -> UserId {
        assert_eq!(self.sign_up(email).await.status, 200);
        let user = self.user(email).await.unwrap();
        let [verify, _] = self.links(user).await;
        let answer = self.ask("/v1/auth/verify-email", json!({ "token": verify })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        user
    }

    pub async fn person(&self, email: &str) -> Person {
        let id = self.confirmed(email).await;
        let answer = self.log_in(email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Person { id, email: email.to_owned(), tokens: answer.json() }
    }

    /// Until the access token is refused, which must be in less than a second.
    pub async fn until_refused(&self, access: &str) {
        let refused = async {
            while self.as_person(Method::GET, "/v1/users/me", access).await.status != 401 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(1), refused).await;
        in_time.expect("the token still works after a second");
    }

    /// What the caller reads, once the view holds everything that is in the log.
    pub async fn fresh_as(&self, path: &str, access: &str) -> Value {
        let head = self.journal.head().await.unwrap();
        let request = self.bare(Method::GET, path).bearer_auth(access);
        let answer = soon(send(request.header("millrace-min-position", head))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}
