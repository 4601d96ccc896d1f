use api::LoginOptions;
use domain::organizations::SLUG_CLAIM;
use reqwest::Method;
use ring::hmac;
use serde_json::{Value, json};

use super::{
    issuer::{now, signed},
    server_of,
};
use crate::support::{Answer, Server, send, with_json};

const SECRET: &str = "a secret that is shared with the older backend";

fn token(secret: &str, claims: &Value) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims, |message| {
        hmac::sign(&key, message).as_ref().to_vec()
    })
}

fn claims(tenant: &str) -> Value {
    let now = now();
    json!({
        "user_id": 7, "tenant_id": tenant, "email": "Ada@example.org", "roles": ["owner"],
        "iat": now, "exp": now + 300,
    })
}

#[tokio::test]
async fn a_token_of_the_older_backend_is_taken_where_its_secret_is_given() {
    let server = server_of(legacy()).await;
    let ada = server.person("ada@example.org").await;
    for slug in ["mill", "other-mill"] {
        let body = json!({ "name": "Mill", "slug": slug });
        let made = server.bare(Method::POST, "/v1/organizations").bearer_auth(ada.access());
        assert_eq!(send(with_json(made, &body)).await.status, 202);
    }
    let mill = server.journal.claimed_by(SLUG_CLAIM, "mill").await.unwrap().unwrap();
    for tenant in ["mill", &mill] {
        let answer = scans(&server, &token(SECRET, &claims(tenant))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let foreign = server.another_tenant().await;
    let answer = scans(&server, &token(SECRET, &claims(&foreign.org.to_string()))).await;
    assert_eq!(answer.code(), "not-found");

    let with = |name: &str, value: Value| {
        let mut claims = claims("mill");
        claims[name] = value;
        token(SECRET, &claims)
    };
    let now = now();
    for refused in [
        token("another secret that has enough bytes too", &claims("mill")),
        with("email", json!("bob@example.org")),
        with("email", json!("no address")),
        with("tenant_id", json!("nowhere")),
        with("exp", json!(now - 6)),
        with("nbf", json!(now + 60)),
    ] {
        let answer = scans(&server, &refused).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unauthenticated"));
    }
}

#[tokio::test]
async fn without_the_secret_no_such_token_is_taken_and_no_roles_of_one_are_believed() {
    let server = server_of(LoginOptions::default()).await;
    server.person("ada@example.org").await;
    assert_eq!(scans(&server, &token(SECRET, &claims("mill"))).await.status, 401);

    let server = server_of(legacy()).await;
    server.person("ada@example.org").await;
    // The owner of an organisation by the token, and no member of it here.
    let owner = server.owner.org.to_string();
    assert_eq!(scans(&server, &token(SECRET, &claims(&owner))).await.code(), "not-found");
}

fn legacy() -> LoginOptions {
    LoginOptions { legacy_secret: Some(SECRET.to_owned().into()), ..LoginOptions::default() }
}

async fn scans(server: &Server, token: &str) -> Answer {
    server.as_person(Method::GET, "/v1/scans", token).await
}
