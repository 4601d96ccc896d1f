//! Signing in by cookies, as a browser does, and what another site can make of it.

use api::Options;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PASSWORD, options, server};
use crate::support::{Answer, Server, send, with_json};

const SITE: &str = "https://app.example.com";

/// What a browser keeps of an answer.
struct Browser {
    cookies: Vec<(String, String)>,
    csrf: String,
}

impl Browser {
    fn of(answer: &Answer) -> Self {
        let cookies = set_cookies(answer).into_iter().map(|cookie| {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        });
        let csrf = answer.json()["csrf_token"].as_str().unwrap().to_owned();
        Self { cookies: cookies.collect(), csrf }
    }

    fn header(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    fn request(&self, server: &Server, method: Method, path: &str) -> reqwest::RequestBuilder {
        server.bare(method, path).header("cookie", self.header())
    }

    /// As a page of ours makes it.
    fn own(&self, server: &Server, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.request(server, method, path).header("x-csrf-token", &self.csrf)
    }
}

fn set_cookies(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all("set-cookie").iter();
    lines.map(|line| line.to_str().unwrap().to_owned()).collect()
}

async fn log_in(server: &Server, email: &str) -> Answer {
    let request = server.bare(Method::POST, "/v1/auth/login").header("millrace-cookies", "true");
    let answer = send(with_json(request, &json!({ "email": email, "password": PASSWORD }))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

async fn browser(server: &Server, email: &str) -> Browser {
    server.confirmed(email).await;
    Browser::of(&log_in(server, email).await)
}

fn empty(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    with_json(request, &json!({}))
}

#[tokio::test]
async fn a_browser_gets_cookies_that_scripts_and_other_hosts_cannot_read() {
    let server = server().await;
    server.confirmed("ada@example.org").await;
    let answer = log_in(&server, "ada@example.org").await;
    let body = answer.json();
    assert_eq!((&body["access_token"], &body["refresh_token"]), (&Value::Null, &Value::Null));
    let cookies = set_cookies(&answer);
    assert_eq!(cookies.len(), 3);
    for (name, hidden) in [("access", true), ("refresh", true), ("csrf", false)] {
        let prefix = format!("__Host-millrace-{name}=");
        let cookie = cookies.iter().find(|cookie| cookie.starts_with(&prefix)).unwrap();
        for flag in ["; Path=/", "; Secure", "; SameSite=Strict", "; Max-Age="] {
            assert!(cookie.contains(flag), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        assert_eq!(cookie.contains("; HttpOnly"), hidden, "{cookie}");
    }
    let me = Browser::of(&answer).request(&server, Method::GET, "/v1/users/me");
    let head = server.journal.head().await.unwrap();
    let me = send(me.header("millrace-min-position", head)).await;
    assert_eq!(me.json()["email"], "ada@example.org");
    // Without asking for them nobody gets cookies.
    assert!(set_cookies(&server.log_in("ada@example.org", PASSWORD).await).is_empty());
}

#[tokio::test]
async fn another_site_cannot_act_with_the_cookies_of_a_browser() {
    let options = Options { cors_origins: vec![SITE.to_owned()], ..options() };
    let server = Server::with(options).await;
    let ada = browser(&server, "ada@example.org").await;
    let bob = browser(&server, "bob@example.org").await;
    let end = |with: &dyn Fn(reqwest::RequestBuilder) -> reqwest::RequestBuilder| {
        send(with(ada.request(&server, Method::POST, "/v1/auth/logout")))
    };
    let forged = [
        end(&|request| request).await,
        end(&|request| request.header("x-csrf-token", "guess.guess")).await,
        end(&|request| request.header("x-csrf-token", &bob.csrf)).await,
        end(&|request| {
            request.header("x-csrf-token", &ada.csrf).header("origin", "https://evil.example.com")
        })
        .await,
        end(&|request| request.header("x-csrf-token", &ada.csrf).header("origin", "null")).await,
        end(&|request| {
            request.header("x-csrf-token", &ada.csrf).header("sec-fetch-site", "cross-site")
        })
        .await,
        send(empty(ada.request(&server, Method::POST, "/v1/auth/refresh"))).await,
        send(empty(
            ada.request(&server, Method::POST, "/v1/auth/refresh")
                .header("x-csrf-token", &bob.csrf),
        ))
        .await,
    ];
    for answer in forged {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "csrf-refused"));
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    // A cookie that was put beside the real one makes neither count.
    let (name, _) = &ada.cookies[0];
    let doubled = format!("{}; {name}=planted", ada.header());
    let doubled = server.bare(Method::GET, "/v1/users/me").header("cookie", doubled);
    assert_eq!(send(doubled).await.status, 401);

    let out = ada.own(&server, Method::POST, "/v1/auth/logout").header("origin", SITE);
    let out = send(out).await;
    assert_eq!(out.status, 200, "{}", out.text);
    assert_eq!(out.header("access-control-allow-origin"), SITE);
    assert_eq!(out.header("access-control-allow-credentials"), "true");
    assert_eq!(set_cookies(&out).iter().filter(|c| c.contains("; Max-Age=0")).count(), 3);
    let over = async {
        while send(ada.request(&server, Method::GET, "/v1/users/me")).await.status != 401 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    crate::support::soon(over).await;
}

#[tokio::test]
async fn a_session_goes_on_by_cookie_and_a_stolen_one_ends() {
    let server = server().await;
    let ada = browser(&server, "ada@example.org").await;
    let refresh =
        |browser: &Browser| send(empty(browser.own(&server, Method::POST, "/v1/auth/refresh")));
    let answer = refresh(&ada).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["access_token"], Value::Null);
    let next = Browser::of(&answer);
    assert_ne!(next.header(), ada.header());
    // The token of a page that is still open works for the same session.
    let mut kept = Browser::of(&answer);
    kept.csrf.clone_from(&ada.csrf);
    let again = refresh(&kept).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert_eq!(refresh(&ada).await.status, 401, "used before");
    assert_eq!(refresh(&Browser::of(&again)).await.status, 401, "so the session is over");
}

#[tokio::test]
async fn origins_that_are_not_named_may_not_send_cookies() {
    let options = Options { cors_origins: vec![SITE.to_owned()], ..options() };
    let server = Server::with(options).await;
    for origin in ["https://evil.example.com", "https://app.example.com.evil.com", "null"] {
        let preflight = server.bare(Method::OPTIONS, "/v1/auth/refresh").header("origin", origin);
        let preflight = send(preflight.header("access-control-request-method", "POST")).await;
        assert!(!preflight.headers.contains_key("access-control-allow-credentials"));
        assert!(!preflight.headers.contains_key("access-control-allow-origin"));
    }
    let preflight = server.bare(Method::OPTIONS, "/v1/auth/refresh").header("origin", SITE);
    let preflight = send(preflight.header("access-control-request-method", "POST")).await;
    assert_eq!(preflight.header("access-control-allow-credentials"), "true");
    assert!(preflight.header("access-control-allow-headers").contains("x-csrf-token"));
}

#[tokio::test]
async fn cookies_without_tls_are_for_those_who_configure_them() {
    let server = Server::with(Options { insecure_cookies: true, ..options() }).await;
    let ada = browser(&server, "ada@example.org").await;
    assert!(ada.cookies.iter().all(|(name, _)| name.starts_with("millrace-")));
    let cookies = set_cookies(&log_in(&server, "ada@example.org").await);
    assert!(cookies.iter().all(|cookie| !cookie.contains("Secure")), "{cookies:?}");
    assert_eq!(send(ada.own(&server, Method::POST, "/v1/auth/logout")).await.status, 200);
}
