use futures::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use super::Member;
use crate::{
    accounts::{PASSWORD, server},
    events::Reader,
    support::{Answer, Server, send, soon, website},
};

const REASON: &str = "sends unsolicited mail";

async fn get(server: &Server, token: &str, path: &str) -> Answer {
    send(server.bare(Method::GET, path).bearer_auth(token)).await
}

/// Streams of a key and of a session, which end before long.
async fn open_streams(server: &Server, member: &Member) -> impl Future<Output = ()> + use<> {
    let stream = |token: &str| server.bare(Method::GET, "/v1/events/stream").bearer_auth(token);
    let mut by_key = Reader::open(stream(&member.key)).await;
    let mut by_session = Reader::open(stream(member.person.access())).await;
    let mut request =
        server.url("/v1/events/ws").replace("http", "ws").into_client_request().unwrap();
    let token = format!("Bearer {}", member.key).parse().unwrap();
    request.headers_mut().insert("authorization", token);
    let (mut socket, _) = soon(tokio_tungstenite::connect_async(request)).await.unwrap();
    socket.send(Message::text("{}")).await.unwrap();
    async move {
        soon(async {
            while by_key.block().await.is_some() {}
            while by_session.block().await.is_some() {}
        })
        .await;
        let closed = soon(async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Close(frame))) => break frame,
                    Some(Ok(_)) => {}
                    other => panic!("the socket ended without a word: {other:?}"),
                }
            }
        });
        assert_eq!(closed.await.unwrap().reason.as_str(), "sign in again");
    }
}

/// What the front ends know of each other is half a second old at most.
async fn until_replicas_know(server: &Server, operator: &crate::support::Tenant, count: u64) {
    soon(async {
        while server.sees(operator, "overview").await["replicas"] != count {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn state_of(server: &Server, scan: &str, token: &str) -> Value {
    let head = server.journal.head().await.unwrap();
    let request = server.bare(Method::GET, &format!("/v1/scans/{scan}")).bearer_auth(token);
    send(request.header("millrace-min-position", head)).await.json()["state"].clone()
}

#[tokio::test]
async fn a_suspended_person_is_out_everywhere_within_a_second() {
    let server = server().await;
    let other = server.replica().await;
    let operator = server.operator().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let (access, path) = (ada.person.access(), format!("users/{}", ada.person.id));
    let asked = server.gives(&ada.key, "/v1/scans", &website()).await.json();
    let scan = asked["id"].as_str().unwrap();
    for front in [&server, &other] {
        assert_eq!(get(front, access, "/v1/users/me").await.status, 200);
        assert_eq!(get(front, &ada.key, "/v1/scans").await.status, 200);
    }
    let streams = [open_streams(&server, &ada).await, open_streams(&other, &ada).await];
    until_replicas_know(&server, &operator, 2).await;

    let reason = json!({ "reason": REASON });
    let answer = server.operates(&operator, &format!("{path}/suspend"), &reason).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let ended = answer.json();
    assert_eq!((&ended["everywhere"], &ended["replicas"]), (&json!(true), &json!(2)), "{ended}");
    assert!(ended["after_ms"].as_u64().unwrap() < 1000, "{ended}");
    println!("suspended on two replicas after {} ms", ended["after_ms"]);
    assert_eq!(ended["jobs_cancelled"], 1);
    // From the answer on, without waiting.
    for front in [&server, &other] {
        assert_eq!(get(front, access, "/v1/users/me").await.code(), "unauthenticated");
        assert_eq!(get(front, &ada.key, "/v1/scans").await.code(), "account-suspended");
    }
    futures::future::join_all(streams).await;
    // Only whoever knows the password is told.
    assert_eq!(server.log_in(&ada.person.email, PASSWORD).await.code(), "account-suspended");
    assert_eq!(server.log_in(&ada.person.email, "wrong").await.code(), "unauthenticated");
    let refresh = json!({ "refresh_token": ada.person.tokens["refresh_token"] });
    assert_eq!(server.ask("/v1/auth/refresh", refresh).await.code(), "unauthenticated");
    let seen = server.sees(&operator, &path).await;
    assert_eq!(seen["user"]["state"], "suspended");
    assert_eq!(seen["user"]["suspension_reason"], REASON);
    assert_eq!(seen["sessions"], 0);

    let lifted = server.operates(&operator, &format!("{path}/unsuspend"), &json!({})).await;
    assert_eq!(lifted.status, 202, "{}", lifted.text);
    let tokens = server.log_in(&ada.person.email, PASSWORD).await.json();
    assert_eq!(server.sees(&operator, &path).await["user"]["state"], "active");
    soon(async { while get(&other, &ada.key, "/v1/scans").await.status != 200 {} }).await;
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(state_of(&server, scan, access).await, "cancelled");
    // Those that were open stay out.
    assert_eq!(get(&server, ada.person.access(), "/v1/users/me").await.status, 401);
}

#[tokio::test]
async fn a_suspended_organisation_shows_itself_and_nothing_else() {
    let server = server().await;
    let other = server.replica().await;
    let operator = server.operator().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let (access, path) = (ada.person.access(), format!("organizations/{}", ada.org));
    let own = format!("/v1/organizations/{}", ada.org);
    assert_eq!(server.gives(&ada.key, "/v1/scans", &website()).await.status, 202);
    assert_eq!(get(&other, &ada.key, "/v1/scans").await.status, 200);
    let streams = open_streams(&other, &ada).await;
    until_replicas_know(&server, &operator, 2).await;

    let reason = json!({ "reason": REASON });
    let answer = server.operates(&operator, &format!("{path}/suspend"), &reason).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let ended = answer.json();
    assert_eq!((&ended["everywhere"], &ended["jobs_cancelled"]), (&json!(true), &json!(1)));
    streams.await;
    for front in [&server, &other] {
        for token in [access, &ada.key] {
            assert_eq!(get(front, token, "/v1/scans").await.code(), "organization-suspended");
        }
        assert!(get(front, access, &own).await.json()["suspended_at"].is_string());
        // The person is somebody elsewhere still.
        assert_eq!(get(front, access, "/v1/users/me").await.status, 200);
    }
    let no_reason = json!({ "reason": " " });
    let refused = server.operates(&operator, &format!("{path}/suspend"), &no_reason).await;
    assert_eq!(refused.code(), "validation-failed");
    let lifted = server.operates(&operator, &format!("{path}/unsuspend"), &json!({})).await;
    assert_eq!(lifted.status, 202, "{}", lifted.text);
    soon(async { while get(&other, &ada.key, "/v1/scans").await.status != 200 {} }).await;
}

#[tokio::test]
async fn a_revoked_key_and_an_ended_session_lose_their_streams() {
    let server = server().await;
    let ada = server.with_organization("ada@example.org", "acme").await;
    let streams = open_streams(&server, &ada).await;
    let keys = get(&server, ada.person.access(), "/v1/keys").await.json();
    let key = format!("/v1/keys/{}", keys["keys"][0]["id"].as_str().unwrap());
    let revoke = server.bare(Method::DELETE, &key).bearer_auth(ada.person.access());
    assert_eq!(send(revoke).await.status, 202);
    let left = server.gives(ada.person.access(), "/v1/auth/logout", &json!({})).await;
    assert_eq!(left.status, 200, "{}", left.text);
    streams.await;
}
