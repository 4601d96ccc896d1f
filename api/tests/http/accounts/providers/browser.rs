use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::Issuer;
use crate::support::{Answer, Server, send, with_json};

/// A browser that signs in through the provider `id`.
pub struct Browser<'a> {
    pub server: &'a Server,
    pub cookie: String,
    /// Where it was sent.
    pub sent_to: String,
}

impl<'a> Browser<'a> {
    pub async fn begin(server: &'a Server, return_to: Option<&str>) -> Self {
        let answer = begin(server, json!({ "return_to": return_to })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        let (kept, rest) = cookie.split_once(';').unwrap();
        assert!(kept.starts_with("__Host-millrace-login="), "{cookie}");
        for attribute in ["Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=300"] {
            assert!(rest.contains(attribute), "no {attribute} in {cookie}");
        }
        let sent_to = answer.json()["authorization_url"].as_str().unwrap().to_owned();
        Self { server, cookie: kept.to_owned(), sent_to }
    }

    /// Somebody whom the issuer has let in.
    pub async fn let_in(server: &'a Server, issuer: &Issuer, claims: Value) -> (Self, Answer) {
        let browser = Self::begin(server, None).await;
        let code = issuer.admit(&browser.sent_to, claims);
        let answer = browser.comes_back(&code).await;
        (browser, answer)
    }

    pub fn state(&self) -> String {
        let url = Url::parse(&self.sent_to).unwrap();
        url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
    }

    pub async fn comes_back(&self, code: &str) -> Answer {
        self.comes_back_with(&[("code", code), ("state", &self.state())]).await
    }

    pub async fn comes_back_with(&self, query: &[(&str, &str)]) -> Answer {
        let path = "/v1/auth/providers/id/callback";
        let mut url = Url::parse(&self.server.url(path)).unwrap();
        url.query_pairs_mut().extend_pairs(query);
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let request = client.build().unwrap().get(url).header("cookie", &self.cookie);
        send(request).await
    }

    pub async fn goes_on(&self, challenge: &Value) -> Answer {
        let path = "/v1/auth/providers/complete";
        let request = self.server.bare(Method::POST, path).header("cookie", &self.cookie);
        send(with_json(request, &json!({ "challenge": challenge }))).await
    }

    pub async fn links(&self, access: &str, challenge: &Value, password: Option<&str>) -> Answer {
        let request = self.server.bare(Method::POST, "/v1/users/me/identities").bearer_auth(access);
        let body = json!({ "challenge": challenge, "password": password });
        send(with_json(request.header("cookie", &self.cookie), &body)).await
    }
}

pub async fn begin(server: &Server, input: Value) -> Answer {
    send(with_json(server.bare(Method::POST, "/v1/auth/providers/id/begin"), &input)).await
}

/// Signs in all the way.
pub async fn sign_in(server: &Server, issuer: &Issuer, claims: Value) -> Answer {
    let (browser, answer) = Browser::let_in(server, issuer, claims).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    browser.goes_on(&answer.json()["challenge"]).await
}
