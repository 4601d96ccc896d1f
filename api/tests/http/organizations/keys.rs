use domain::organizations::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Made, server};
use crate::{
    accounts::Person,
    support::{Answer, Server, send, with_json},
};

impl Server {
    async fn issues(&self, person: &Person, made: &Made, body: &Value) -> Answer {
        let asks = self.asks(person, Method::POST, "/v1/keys");
        let asks = asks.header("millrace-organization", made.org.to_string());
        let answer = send(with_json(asks, body)).await;
        self.settled(made).await;
        answer
    }
}

fn secret(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_acts_as_the_member_who_issued_it_and_ends_with_them() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Developer).await;
    let key = secret(&server.issues(&bob, &made, &json!({ "name": "b", "scopes": ["*"] })).await);
    let with_key = |method, path: &str| server.bare(method, path).bearer_auth(&key);
    assert_eq!(send(with_key(Method::GET, "/v1/keys")).await.status, 200);
    assert_eq!(send(with_key(Method::GET, &made.path)).await.status, 200);
    // All scopes, and yet no more than a developer.
    let policy = with_json(with_key(Method::POST, "/v1/policies"), &json!({}));
    assert_eq!(send(policy).await.code(), "forbidden");
    let listed = send(with_key(Method::GET, "/v1/keys")).await.json();
    assert_eq!(listed["keys"][0]["issuer"], bob.id.to_string());
    // What it issues is Bob's too.
    let child = json!({ "name": "c", "scopes": ["scans:read"] });
    let child = secret(&send(with_json(with_key(Method::POST, "/v1/keys"), &child)).await);
    server.settled(&made).await;
    let with_child = || server.bare(Method::GET, "/v1/scans").bearer_auth(&child);
    assert_eq!(send(with_child()).await.status, 200);

    let member = format!("{}/members/{}", made.path, bob.id);
    let viewer = json!({ "role": "viewer" });
    assert_eq!(server.tells(&ada, Method::PUT, &member, &viewer).await.status, 202);
    server.soon_gets(403, || with_key(Method::GET, "/v1/keys")).await;
    assert_eq!(send(with_key(Method::GET, "/v1/scans")).await.status, 200);
    assert_eq!(send(server.asks(&ada, Method::DELETE, &member)).await.status, 202);
    server.soon_gets(401, || with_key(Method::GET, "/v1/scans")).await;
    server.soon_gets(401, with_child).await;
}

#[tokio::test]
async fn nobody_gets_the_secret_of_a_key_that_may_more() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let eve = server.person("eve@example.org").await;
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Admin).await;
    server.joins(&made, &eve, Role::Developer).await;
    let body = json!({ "name": "k", "scopes": ["*"] });
    let [of_ada, of_eve] =
        [server.issues(&ada, &made, &body).await, server.issues(&eve, &made, &body).await];
    let rotate = async |person: &Person, key: &Answer| {
        let path = format!("/v1/keys/{}/rotate", key.json()["id"].as_str().unwrap());
        send(server.asks(person, Method::POST, &path)).await
    };
    assert_eq!(rotate(&bob, &of_ada).await.code(), "forbidden");
    assert_eq!(rotate(&bob, &of_eve).await.code(), "forbidden");
    assert_eq!(rotate(&eve, &of_ada).await.code(), "forbidden");
    assert_eq!(rotate(&eve, &of_eve).await.status, 202);
    assert_eq!(rotate(&ada, &of_eve).await.status, 202);
    let revoke = async |person: &Person, key: &Answer| {
        let path = format!("/v1/keys/{}", key.json()["id"].as_str().unwrap());
        send(server.asks(person, Method::DELETE, &path)).await
    };
    assert_eq!(revoke(&eve, &of_ada).await.code(), "forbidden");
    assert_eq!(revoke(&eve, &of_eve).await.status, 202);
    assert_eq!(revoke(&bob, &of_ada).await.status, 202);
}

#[tokio::test]
async fn a_key_makes_nobody_more_than_it_is() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Viewer).await;
    let body = json!({ "name": "k", "scopes": ["members:*", "scans:read"] });
    let key = secret(&server.issues(&ada, &made, &body).await);
    let member = format!("{}/members/{}", made.path, bob.id);
    for place in [
        json!({ "role": "owner" }),
        json!({ "role": "developer" }),
        json!({ "role": "viewer", "permissions": ["keys:create"] }),
    ] {
        let ask = server.bare(Method::PUT, &member).bearer_auth(&key);
        assert_eq!(send(with_json(ask, &place)).await.code(), "forbidden", "{place}");
    }
    // Of another organisation there is nothing to be found with it, nor by its owner's name.
    let other = server.makes(&bob, "other").await;
    let ask = server.bare(Method::GET, &other.path).bearer_auth(&key);
    assert_eq!(send(ask).await.code(), "not-found");
}
