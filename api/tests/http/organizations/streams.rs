//! Live answers end with the right to them, on whichever front end they are open.

use std::time::Duration;

use chrono::TimeDelta;
use domain::organizations::Role;
use futures::{SinkExt, StreamExt};
use journal::{Clock, SystemClock};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::{Made, server};
use crate::{
    accounts::{PASSWORD, Person},
    events::Reader,
    support::{Server, send, soon, with_json},
};

const EVENTS: &str = "/v1/events/stream";

impl Server {
    fn follows(&self, person: &Person, made: &Made, path: &str) -> RequestBuilder {
        let asks = self.asks(person, Method::GET, path);
        asks.header("millrace-organization", made.org.to_string())
    }

    async fn socket(&self, person: &Person, made: &Made) -> WebSocketStream<TcpStream> {
        let url = format!("ws://{}/v1/events/ws", self.address);
        let mut request = url.into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("authorization", format!("Bearer {}", person.access()).parse().unwrap());
        headers.insert("millrace-organization", made.org.to_string().parse().unwrap());
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        socket.send(Message::text("{}")).await.unwrap();
        socket
    }
}

/// It ends in less than a second.
async fn ends(reader: &mut Reader) {
    let end = async { while reader.block().await.is_some() {} };
    timeout(Duration::from_secs(1), end).await.expect("it is open after a second");
}

async fn closes(socket: &mut WebSocketStream<TcpStream>) -> String {
    let close = async {
        loop {
            if let Message::Close(Some(frame)) = socket.next().await.unwrap().unwrap() {
                return frame;
            }
        }
    };
    let frame = timeout(Duration::from_secs(1), close).await.expect("it is open after a second");
    frame.reason.to_string()
}

#[tokio::test]
async fn the_streams_of_a_removed_member_end_everywhere_and_those_of_others_go_on() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Developer).await;
    let replica = server.replica().await;
    let mut here = Reader::open(server.follows(&bob, &made, EVENTS)).await;
    let mut there = Reader::open(replica.follows(&bob, &made, EVENTS)).await;
    let mut socket = replica.socket(&bob, &made).await;
    let mut of_ada = Reader::open(replica.follows(&ada, &made, EVENTS)).await;
    let body = json!({ "name": "Acme Ltd", "slug": "acme" });
    assert_eq!(server.tells(&ada, Method::PUT, &made.path, &body).await.status, 202);
    for reader in [&mut here, &mut there, &mut of_ada] {
        assert_eq!(reader.event().await.unwrap().event, "organization.renamed");
    }
    assert!(soon(socket.next()).await.unwrap().unwrap().to_string().contains("renamed"));

    let member = format!("{}/members/{}", made.path, bob.id);
    assert_eq!(send(server.asks(&ada, Method::DELETE, &member)).await.status, 202);
    tokio::join!(ends(&mut here), ends(&mut there), async {
        assert_eq!(closes(&mut socket).await, "sign in again");
    });
    assert_eq!(of_ada.event().await.unwrap().event, "organization.member_removed");
    let body = json!({ "name": "Acme", "slug": "acme" });
    assert_eq!(server.tells(&ada, Method::PUT, &made.path, &body).await.status, 202);
    assert_eq!(of_ada.event().await.unwrap().event, "organization.renamed");
}

#[tokio::test]
async fn streams_end_with_the_session_that_opened_them() {
    let server = server().await;
    let ada = server.person("ada@example.org").await;
    let made = server.makes(&ada, "acme").await;
    let tokens = server.log_in(&ada.email, PASSWORD).await.json();
    let other = Person { id: ada.id, email: ada.email.clone(), tokens };
    let mut first = Reader::open(server.follows(&ada, &made, EVENTS)).await;
    let mut second = Reader::open(server.follows(&other, &made, EVENTS)).await;
    let mut socket = server.socket(&other, &made).await;
    assert_eq!(send(server.asks(&ada, Method::POST, "/v1/auth/logout")).await.status, 200);
    ends(&mut first).await;
    let body = json!({ "name": "Acme Ltd", "slug": "acme" });
    assert_eq!(server.tells(&other, Method::PUT, &made.path, &body).await.status, 202);
    assert_eq!(second.event().await.unwrap().event, "organization.renamed");

    let erase = json!({ "password": PASSWORD });
    let erased = server.tells(&other, Method::POST, "/v1/users/me/erase", &erase).await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    ends(&mut second).await;
    assert!(!closes(&mut socket).await.is_empty());
}

#[tokio::test]
async fn streams_end_with_the_key_that_opened_them() {
    let server = Server::start().await;
    let replica = server.replica().await;
    let (id, _) = server.running(&server.owner).await;
    server.fresh(&format!("/v1/scans/{id}")).await.json();
    let logs = format!("/v1/scans/{id}/logs");
    let mut of_logs = Reader::open(replica.request(Method::GET, &logs)).await;
    let mut of_events = Reader::open(server.request(Method::GET, EVENTS)).await;
    let key = format!("/v1/keys/{}", server.owner.key_id);
    assert_eq!(send(server.request(Method::DELETE, &key)).await.status, 202);
    tokio::join!(ends(&mut of_logs), ends(&mut of_events));
}

#[tokio::test]
async fn streams_end_when_their_key_expires() {
    let server = Server::start().await;
    let expires_at = SystemClock.now() + TimeDelta::milliseconds(1500);
    let body = json!({ "name": "brief", "scopes": ["events:read"], "expires_at": expires_at });
    let issued = server.post("/v1/keys", &body).await;
    assert_eq!(issued.status, 202, "{}", issued.text);
    server.fresh("/v1/keys").await.json();
    let key = issued.json()["secret"].as_str().unwrap().to_owned();
    let mut reader = Reader::open(server.bare(Method::GET, EVENTS).bearer_auth(&key)).await;
    assert_eq!(reader.block().await.unwrap(), "retry: 2000");
    soon(async { while reader.block().await.is_some() {} }).await;
    let late = SystemClock.now() - expires_at;
    assert!((TimeDelta::zero()..TimeDelta::seconds(1)).contains(&late), "{late}");
}

#[tokio::test]
async fn streams_end_when_a_policy_forbids_them() {
    let server = server().await;
    let [ada, bob] =
        [server.person("ada@example.org").await, server.person("bob@example.org").await];
    let made = server.makes(&ada, "acme").await;
    server.joins(&made, &bob, Role::Viewer).await;
    let mut of_bob = Reader::open(server.follows(&bob, &made, EVENTS)).await;
    let policy = json!({
        "name": "No events for viewers",
        "effect": "deny",
        "resource_type": "events",
        "actions": ["read"],
        "roles": ["viewer"],
    });
    let asks = server.asks(&ada, Method::POST, "/v1/policies");
    let asks = asks.header("millrace-organization", made.org.to_string());
    let added = send(with_json(asks, &policy)).await;
    assert_eq!(added.status, 202, "{}", added.text);
    ends(&mut of_bob).await;
}
