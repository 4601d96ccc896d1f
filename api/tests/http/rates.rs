//! Rate limits as clients meet them, and as replicas keep them together.

use std::time::Duration;

use api::{
    Options,
    limits::{AllowList, LimitOptions, Quota},
};
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Server, no_limits, send, soon, with_json};

const HOUR: Duration = Duration::from_secs(3600);

fn few(limit: u32) -> Quota {
    Quota::new(limit, HOUR, limit)
}

async fn server(limits: LimitOptions) -> Server {
    Server::with(Options { limits, ..Options::default() }).await
}

async fn guess(server: &Server, n: u8) -> Answer {
    let key = api::keys::generate([n; 32]);
    send(server.bare(Method::GET, "/v1/scans").bearer_auth(key)).await
}

/// An anonymous request from behind a proxy.
async fn from(server: &Server, client: &str) -> Answer {
    let ask = server.bare(Method::POST, "/v1/auth/verify-email");
    let ask = ask.header("x-forwarded-for", client);
    send(with_json(ask, &json!({ "token": "x" }))).await
}

#[tokio::test]
async fn a_limit_is_shown_and_enforced_for_each_key() {
    let server = server(LimitOptions { key: Quota::per_minute(30), ..no_limits() }).await;
    let other = server.another_tenant().await;
    let first = server.get("/v1/scans").await;
    assert_eq!(first.header("ratelimit-policy"), "\"key\";q=30;w=60");
    assert!(first.header("ratelimit").starts_with("\"key\";r="), "{:?}", first.headers);
    let refused = loop {
        let answer = server.get("/v1/scans").await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(refused.status, 429);
    assert_eq!(refused.code(), "too-many-requests");
    // A token comes back every two seconds; some of that may be over.
    assert!(["1", "2"].contains(&refused.header("retry-after")), "{:?}", refused.headers);
    assert!(refused.header("ratelimit").starts_with("\"key\";r=0;t="));
    assert_eq!(server.get_as(&other, "/v1/scans").await.status, 200);
}

#[tokio::test]
async fn guessing_keys_is_slowed_down_and_does_not_lock_out_those_in_use() {
    let server = server(LimitOptions { address: few(5), ..no_limits() }).await;
    assert_eq!(server.get("/v1/scans").await.status, 200);
    let mut statuses = Vec::new();
    for n in 0..8 {
        statuses.push(guess(&server, n).await.status.as_u16());
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert_eq!(server.get("/v1/scans").await.status, 200);
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart_and_nobody_elses_word_is_taken() {
    let limits = LimitOptions { address: few(2), ..no_limits() };
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let options = Options { trusted_proxies, limits: limits.clone(), ..Options::default() };
    let behind = Server::with(options).await;
    for _ in 0..2 {
        assert_ne!(from(&behind, "198.51.100.1").await.status, 429);
    }
    assert_eq!(from(&behind, "198.51.100.1").await.code(), "too-many-requests");
    assert_eq!(from(&behind, "203.0.113.9, 198.51.100.1").await.code(), "too-many-requests");
    assert_ne!(from(&behind, "198.51.100.2").await.status, 429);

    let open = server(limits).await;
    let mut last = 0;
    for n in 0..3 {
        last = from(&open, &format!("198.51.100.{n}")).await.status.as_u16();
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn networks_that_are_allowed_are_not_counted() {
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    let allow = AllowList { networks, ..AllowList::default() };
    let limits = LimitOptions { address: few(2), key: few(2), allow, ..no_limits() };
    let server = server(limits).await;
    for n in 0..5 {
        assert_eq!(guess(&server, n).await.status, 401);
        assert_eq!(server.get("/v1/scans").await.status, 200);
    }
}

#[tokio::test]
async fn keys_that_are_allowed_are_not_counted() {
    let known = server(no_limits()).await;
    let keys = [known.owner.key_id.uuid()].into();
    let allow = AllowList { keys, ..AllowList::default() };
    let limits = LimitOptions { address: few(2), key: few(2), allow, ..no_limits() };
    let server = known.replica_with(Options { limits, ..Options::default() }).await;
    for _ in 0..5 {
        assert_eq!(server.get("/v1/scans").await.status, 200);
    }
    let other = server.another_tenant().await;
    for status in [200, 200, 429] {
        assert_eq!(server.get_as(&other, "/v1/scans").await.status, status);
    }
}

#[tokio::test]
async fn two_replicas_keep_one_limit_together() {
    let limits = LimitOptions { key: few(40), address: few(40), ..no_limits() };
    let one = server(limits).await;
    let two = one.replica().await;
    let remaining = |answer: &Answer| -> u32 {
        let shown = answer.header("ratelimit").split(['=', ';']).nth(2).unwrap().to_owned();
        shown.parse().unwrap()
    };
    let first = remaining(&one.get("/v1/scans").await);
    // What one lets through the other counts, a tenth of a second later.
    let told = async {
        loop {
            let (here, there) =
                (remaining(&one.get("/v1/scans").await), remaining(&two.get("/v1/scans").await));
            if here.abs_diff(there) <= 2 && there < first {
                break;
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    };
    soon(told).await;
    for n in 0..40 {
        let _ = guess(&one, n).await;
    }
    let refused = async {
        while guess(&two, 41).await.status != 429 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(refused).await;
}
