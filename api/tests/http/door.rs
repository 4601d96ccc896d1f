//! Blocked addresses and the limiter, as an operator works on them.

use std::{net::IpAddr, time::Duration};

use api::{
    Options,
    limits::{LimitOptions, Quota},
};
use journal::{Clock, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, Tenant, no_limits, send, soon, with_json};

const BLOCKS: &str = "/v1/admin/address-blocks";

/// One whose clients come from wherever they say, as from behind a proxy.
async fn server(limits: LimitOptions) -> Server {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    Server::with(Options { trusted_proxies, limits, ..Options::default() }).await
}

async fn from(server: &Server, address: &str) -> Answer {
    let request = server.bare(Method::GET, "/health/live");
    send(request.header("x-forwarded-for", address)).await
}

async fn post(server: &Server, tenant: &Tenant, path: &str, body: &Value) -> Answer {
    send(with_json(server.bare(Method::POST, path).bearer_auth(&tenant.key), body)).await
}

/// Until the server answers the address so, which must be in less than a second.
async fn until(server: &Server, address: &str, status: u16) {
    let answered = async {
        while from(server, address).await.status != status {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(1), answered).await;
    in_time.unwrap_or_else(|_| panic!("{address} is not answered {status} after a second"));
}

#[tokio::test]
async fn a_block_holds_on_every_replica_within_a_second_until_it_is_lifted() {
    let one = server(no_limits()).await;
    let two = one.replica().await;
    let operator = one.operator().await;
    let body = json!({ "network": "203.0.113.9/24", "reason": "a flood" });
    let blocked = post(&one, &operator, BLOCKS, &body).await;
    assert_eq!(blocked.status, 202, "{}", blocked.text);
    for server in [&one, &two] {
        until(server, "203.0.113.200", 403).await;
        let refused = from(server, "203.0.113.200").await;
        assert_eq!(refused.code(), "address-blocked");
        assert_eq!(from(server, "203.0.114.1").await.status, 200);
    }
    let path = blocked.header("location").to_owned();
    let read = one.bare(Method::GET, &path).bearer_auth(&operator.key);
    let read = send(read.header("millrace-min-position", blocked.position())).await.json();
    assert_eq!((&read["network"], &read["state"]), (&json!("203.0.113.0/24"), &json!("in_force")));
    assert_eq!(read["blocked_by"], format!("api_key:{}", operator.key_id));

    let lifted = send(one.bare(Method::DELETE, &path).bearer_auth(&operator.key)).await;
    assert_eq!(lifted.status, 202, "{}", lifted.text);
    for server in [&one, &two] {
        until(server, "203.0.113.200", 200).await;
    }
    let list = one.bare(Method::GET, BLOCKS).bearer_auth(&operator.key);
    let list = send(list.header("millrace-min-position", lifted.position())).await.json();
    assert_eq!(list["address_blocks"][0]["state"], "lifted");
}

#[tokio::test]
async fn a_block_ends_by_itself() {
    let server = server(no_limits()).await;
    let operator = server.operator().await;
    let until_then = SystemClock.now() + Duration::from_millis(1500);
    let body = json!({ "network": "2001:db8::/32", "reason": "a flood", "until": until_then });
    assert_eq!(post(&server, &operator, BLOCKS, &body).await.status, 202);
    until(&server, "2001:db8:7::1", 403).await;
    let ended = async {
        while from(&server, "2001:db8:7::1").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(ended).await;
    assert!(SystemClock.now() >= until_then);
}

#[tokio::test]
async fn nobody_but_an_operator_blocks_and_nobody_themselves() {
    let server = server(no_limits()).await;
    let body = json!({ "network": "203.0.113.9", "reason": "a flood" });
    for (path, body) in [(BLOCKS, &body), ("/v1/admin/limiter/reset", &json!({ "address": "::1" }))]
    {
        assert_eq!(post(&server, &server.owner, path, body).await.code(), "platform-only");
    }
    assert_eq!(server.get(BLOCKS).await.code(), "platform-only");
    assert_eq!(server.get("/v1/admin/limiter?address=::1").await.code(), "platform-only");

    let operator = server.operator().await;
    for (body, field) in [
        (json!({ "network": "127.0.0.0/8", "reason": "it is me" }), "network"),
        (json!({ "network": "example.org", "reason": "a flood" }), "network"),
        (json!({ "network": "203.0.113.9", "reason": "" }), "reason"),
        (
            json!({ "network": "203.0.113.9", "reason": "x", "until": "2020-01-01T00:00:00Z" }),
            "until",
        ),
    ] {
        let refused = post(&server, &operator, BLOCKS, &body).await;
        assert_eq!(refused.code(), "validation-failed", "{body}");
        assert_eq!(refused.json()["errors"][0]["field"], field);
    }
    let unknown = format!("{BLOCKS}/block_00000000000000000000000000");
    let lift = server.bare(Method::DELETE, &unknown).bearer_auth(&operator.key);
    assert_eq!(send(lift).await.status, 404);
    assert_eq!(server.get_as(&operator, &unknown).await.status, 404);
}

#[tokio::test]
async fn an_operator_sees_whom_the_limits_hold_back_and_lets_them_go_on_every_replica() {
    let hour = Duration::from_secs(3600);
    let few = Quota::new(3, hour, 3);
    let one = server(LimitOptions { address: few, ..no_limits() }).await;
    let two = one.replica().await;
    let operator = one.operator().await;
    let address: IpAddr = "198.51.100.7".parse().unwrap();
    let guess = async |server: &Server| {
        let key = api::keys::generate([9; 32]);
        let request = server.bare(Method::GET, "/v1/scans").bearer_auth(key);
        send(request.header("x-forwarded-for", address.to_string())).await.status.as_u16()
    };
    while guess(&one).await != 429 {}
    let held = async |server: &Server| {
        let read = server.get_as(&operator, &format!("/v1/admin/limiter?address={address}")).await;
        assert_eq!(read.status, 200, "{}", read.text);
        let limit = read.json()["limits"][0].clone();
        assert_eq!((&limit["policy"], &limit["limit"]), (&json!("address"), &json!(3)));
        limit["remaining"].as_u64().unwrap()
    };
    assert_eq!(held(&one).await, 0);
    soon(async {
        while held(&two).await != 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;

    let body = json!({ "address": address.to_string() });
    let reset = post(&two, &operator, "/v1/admin/limiter/reset", &body).await;
    assert_eq!(reset.status, 202, "{}", reset.text);
    for server in [&one, &two] {
        soon(async {
            while held(server).await != 3 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
    assert_eq!(guess(&one).await, 401);
    for bad in [json!({}), json!({ "address": "x" }), json!({ "id": "x" }), json!({ "email": "x" })]
    {
        let refused = post(&one, &operator, "/v1/admin/limiter/reset", &bad).await;
        assert!([400, 422].contains(&refused.status.as_u16()), "{}", refused.text);
    }
}
