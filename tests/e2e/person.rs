//! Somebody at their browser, with a mailbox and an authenticator app.

use journal::{Clock, SystemClock};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::{ArrivedMail, MailSink};

use crate::support::{Millrace, body};

pub const PASSWORD: &str = "violet anchor meadow 7";

/// At one front end of an installation.
#[derive(Clone)]
pub struct Person {
    base: String,
    pub email: &'static str,
    access: Option<String>,
    /// The organisation they act in.
    pub organization: Option<String>,
}

#[must_use]
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    pub fn refused(self, code: &str) {
        assert_eq!(self.body["code"], code, "{}", self.body);
        assert!((400..500).contains(&self.status), "{}", self.status);
    }
}

/// An installation with a mail server, whose visitors share one address.
pub fn with_mailbox(mailbox: &MailSink) -> Millrace {
    let mut millrace = Millrace::new();
    millrace.set("MILLRACE_MAIL__SERVER", format!("smtp://127.0.0.1:{}", mailbox.port));
    millrace.set("MILLRACE_MAIL__STARTTLS", "optional");
    millrace.set("MILLRACE_MAIL__FROM", "post@mill.example");
    millrace.set("MILLRACE_MAIL__LINKS_URL", "https://mill.example/app/");
    for limit in ["ADDRESS", "LOGIN", "USER"] {
        millrace.set(&format!("MILLRACE_LIMITS__{limit}"), "10000/60s");
    }
    millrace
}

impl Person {
    pub fn new(millrace: &Millrace, email: &'static str) -> Self {
        Self { base: millrace.base.clone(), email, access: None, organization: None }
    }

    /// The same at another front end.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// Their access token, empty while they have none.
    pub fn token(&self) -> &str {
        self.access.as_deref().unwrap_or_default()
    }

    pub async fn asks(&self, method: Method, path: &str, input: Value) -> Answer {
        self.asks_with(self.token(), method, path, input).await
    }

    /// By a token or a key, or by neither.
    pub async fn asks_with(&self, token: &str, method: Method, path: &str, input: Value) -> Answer {
        let mut request = self.request(token, method, path);
        if !input.is_null() {
            request = request.header("content-type", "application/json").body(input.to_string());
        }
        let response = request.send().await.unwrap();
        Answer { status: response.status().as_u16(), body: body(response).await }
    }

    pub fn request(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.base));
        let request = match token {
            "" => request,
            token => request.bearer_auth(token),
        };
        match &self.organization {
            Some(organization) => request.header("millrace-organization", organization),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.asks(Method::GET, path, Value::Null).await
    }

    pub async fn post(&self, path: &str, input: Value) -> Answer {
        self.asks(Method::POST, path, input).await
    }

    /// Signs up, confirms the address by the mail and signs in.
    pub async fn arrives(&mut self, mailbox: &mut MailSink) {
        let account = json!({ "email": self.email, "password": PASSWORD, "name": "Somebody" });
        self.post("/v1/auth/sign-up", account).await.is(200);
        let token = self.mailed(mailbox, "verify-email").await;
        self.post("/v1/auth/verify-email", json!({ "token": token })).await.is(200);
        let tokens = self.signs_in(PASSWORD).await.is(200);
        self.keeps(&tokens);
    }

    pub async fn signs_in(&self, password: &str) -> Answer {
        self.post("/v1/auth/login", json!({ "email": self.email, "password": password })).await
    }

    pub fn keeps(&mut self, tokens: &Value) {
        self.access = Some(tokens["access_token"].as_str().unwrap().to_owned());
    }

    /// What the link to a page ends with, in the next mail, which must be to this person.
    pub async fn mailed(&self, mailbox: &mut MailSink, page: &str) -> String {
        let ArrivedMail { to, content, .. } = mailbox.next().await;
        assert_eq!(to, [self.email], "{content}");
        let content = content.replace("=\r\n", "").replace("=3D", "=");
        let link = format!("https://mill.example/app/{page}#token=");
        let (_, rest) = content.split_once(&link).unwrap_or_else(|| panic!("{content}"));
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// Sets up an authenticator app; gives its secret.
    pub async fn adds_an_app(&self) -> String {
        let asked = self.post("/v1/users/me/totp", json!({ "password": PASSWORD })).await.is(200);
        let secret = asked["secret"].as_str().unwrap();
        let confirm = |code: String| {
            let input = json!({ "challenge": asked["challenge"], "code": code });
            self.post("/v1/users/me/totp/confirm", input)
        };
        confirm("12345".to_owned()).await.refused("validation-failed");
        let codes = confirm(testkit::totp(secret, step() - 1)).await.is(200);
        assert_eq!(codes["recovery_codes"].as_array().unwrap().len(), 10);
        secret.to_owned()
    }

    /// Signs in with the password and the app.
    pub async fn signs_in_with(&mut self, secret: &str) {
        let challenge = self.signs_in(PASSWORD).await.is(202);
        let second = |code: String| {
            let input = json!({ "challenge": challenge["challenge"], "code": code });
            self.post("/v1/auth/second-factor", input)
        };
        let code = testkit::totp(secret, step());
        let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);
        second(wrong).await.refused("unauthenticated");
        let tokens = second(code).await.is(200);
        self.keeps(&tokens);
    }
}

/// Of the clock on the wall, as apps count it.
fn step() -> i64 {
    SystemClock.now().timestamp() / 30
}
