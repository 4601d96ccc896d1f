use std::time::Duration;

use api::Options;
use domain::scans::ScanCommand;
use futures::{SinkExt, StreamExt};
use journal::{Clock, SystemClock};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::support::{Server, send, soon};

/// A reader of server-sent events.
pub struct Reader {
    response: Response,
    text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    pub id: u64,
    pub event: String,
    pub data: Value,
}

impl Reader {
    pub async fn open(request: reqwest::RequestBuilder) -> Self {
        let response = soon(request.send()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next block of the stream; none at its end.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let bytes = soon(self.response.chunk()).await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next event; signs of life are passed over.
    pub async fn event(&mut self) -> Option<Sent> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            if let (Some(event), Some(data)) = (field("event"), field("data")) {
                return Some(Sent {
                    id: field("id").map_or(0, |id| id.parse().unwrap()),
                    event: event.to_owned(),
                    data: serde_json::from_str(data).unwrap(),
                });
            }
        }
    }
}

#[tokio::test]
async fn the_log_is_read_in_pages() {
    let server = Server::start().await;
    let (id, _) = server.running(&server.owner).await;
    let page = server.get(&format!("/v1/events?aggregate_id={id}&limit=2")).await.json();
    let types: Vec<_> =
        page["events"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["scan.requested", "scan.attempt_started"]);
    let after = &page["next_after"];
    assert_eq!(*after, page["events"][1]["position"]);
    let rest = server.get(&format!("/v1/events?aggregate_id={id}&after={after}")).await.json();
    assert_eq!(rest["events"].as_array().unwrap().len(), 1);
    assert_eq!(rest["next_after"], server.journal.head().await.unwrap());
    let some = server.get("/v1/events?types=scan.requested,organization.created").await.json();
    assert_eq!(some["events"].as_array().unwrap().len(), 2);
    assert_eq!(some["events"][0]["data"]["slug"], "owner");
}

#[tokio::test]
async fn a_stream_resumes_by_its_last_id_without_loss_or_repeat() {
    let server = Server::start().await;
    let head = server.journal.head().await.unwrap();
    let stream = || server.request(Method::GET, &format!("/v1/events/stream?after={head}"));
    let mut reader = Reader::open(stream()).await;
    let writing = async {
        for _ in 0..40 {
            server.queued(&server.owner).await;
        }
    };
    let reading = async {
        let mut seen = Vec::new();
        // It comes back again and again while events are being written.
        while seen.len() < 40 {
            for _ in 0..3 {
                seen.push(reader.event().await.unwrap());
                if seen.len() == 40 {
                    break;
                }
            }
            let last = seen.last().unwrap().id;
            reader = Reader::open(stream().header("last-event-id", last)).await;
        }
        seen
    };
    let (seen, ()) = tokio::join!(reading, writing);
    let ids: Vec<_> = seen.iter().map(|sent| sent.id).collect();
    assert_eq!(ids, (head + 1..=head + 40).collect::<Vec<_>>());
    for sent in &seen {
        assert_eq!(sent.event, "scan.requested");
        assert_eq!(sent.data["position"], sent.id);
        assert_eq!(sent.data["data"]["type"], "requested");
    }
}

#[tokio::test]
async fn a_stream_shows_only_what_was_asked_for_and_a_sign_of_life_moves_it_on() {
    let options = Options { keep_alive: Duration::from_millis(100), ..Options::default() };
    let server = Server::with(options).await;
    let request = server.request(Method::GET, "/v1/events/stream?types=scan.cancelled");
    let mut reader = Reader::open(request).await;
    assert_eq!(reader.block().await.unwrap(), "retry: 2000");
    let id = server.queued(&server.owner).await;
    let head = server.journal.head().await.unwrap();
    while !reader.block().await.unwrap().contains(&format!("id: {head}")) {}
    server.command(&server.owner, id, ScanCommand::RequestCancel { now: SystemClock.now() }).await;
    let sent = reader.event().await.unwrap();
    assert_eq!((sent.event.as_str(), sent.id), ("scan.cancelled", head + 1));
}

#[tokio::test]
async fn streams_end_cleanly_at_shutdown_and_are_bounded_for_each_key() {
    let options = Options { streams_per_key: 2, ..Options::default() };
    let mut server = Server::with(options).await;
    let stream = |server: &Server| server.request(Method::GET, "/v1/events/stream");
    let mut first = Reader::open(stream(&server)).await;
    let second = Reader::open(stream(&server)).await;
    let refused = send(stream(&server)).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.code(), "too-many-streams");
    drop(second);
    // The server notices when it next writes to the connection, or when it is closed.
    soon(async {
        while server.get("/v1/events/stream?after=x").await.status != 400 {}
        loop {
            let again = stream(&server).send().await.unwrap();
            if again.status() == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;

    server.stop.cancel();
    let mut last = String::new();
    while let Some(block) = first.block().await {
        last = block;
    }
    assert_eq!(last, "retry: 2000");
    soon(&mut server.served).await.unwrap();
}

#[tokio::test]
async fn a_socket_carries_the_same_events() {
    let server = Server::start().await;
    let head = server.journal.head().await.unwrap();
    let id = server.queued(&server.owner).await;
    let mut request =
        format!("ws://{}/v1/events/ws", server.address).into_client_request().unwrap();
    let key = format!("Bearer {}", server.owner.key).parse().unwrap();
    request.headers_mut().insert("authorization", key);
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let wanted = json!({ "after": head, "types": ["scan.requested", "scan.cancelled"] });
    socket.send(Message::text(wanted.to_string())).await.unwrap();
    let mut next = async || loop {
        if let Message::Text(text) = soon(socket.next()).await.unwrap().unwrap() {
            return serde_json::from_str::<Value>(&text).unwrap();
        }
    };
    let first = next().await;
    assert_eq!(first["position"], head + 1);
    assert_eq!(first["aggregate_id"], id.to_string());
    let cancel = ScanCommand::RequestCancel { now: SystemClock.now() };
    server.command(&server.owner, id, cancel).await;
    assert_eq!(next().await["type"], "scan.cancelled");
    server.stop.cancel();
    let closed = soon(socket.next()).await.unwrap().unwrap();
    assert!(closed.is_close(), "{closed:?}");
}

#[tokio::test]
async fn hashes_of_keys_and_fences_of_attempts_are_shown_to_nobody() {
    let server = Server::start().await;
    server.running(&server.owner).await;
    let types = "types=organization.api_key_issued,scan.attempt_started";
    let page = server.get(&format!("/v1/events?{types}")).await.json();
    let request = server.request(Method::GET, &format!("/v1/events/stream?after=0&{types}"));
    let mut reader = Reader::open(request).await;
    let mut request =
        format!("ws://{}/v1/events/ws", server.address).into_client_request().unwrap();
    request.headers_mut().insert("x-api-key", server.owner.key.parse().unwrap());
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let wanted =
        json!({ "after": 0, "types": ["organization.api_key_issued", "scan.attempt_started"] });
    socket.send(Message::text(wanted.to_string())).await.unwrap();
    for (number, fields) in [
        &["issued_at", "key_id", "name", "type"][..],
        &["attempt", "deadline", "started_at", "type", "worker"],
    ]
    .into_iter()
    .enumerate()
    {
        let message = soon(socket.next()).await.unwrap().unwrap();
        let told: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        let sent = reader.event().await.unwrap().data;
        for event in [&page["events"][number], &sent, &told] {
            let shown: Vec<_> = event["data"].as_object().unwrap().keys().collect();
            assert_eq!(shown, fields, "{event}");
        }
    }
}

#[tokio::test]
async fn a_bad_subscription_closes_the_socket_with_its_reason() {
    let server = Server::start().await;
    let mut request =
        format!("ws://{}/v1/events/ws", server.address).into_client_request().unwrap();
    request.headers_mut().insert("x-api-key", server.owner.key.parse().unwrap());
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    socket.send(Message::text(r#"{"types": ["scan.popped"]}"#)).await.unwrap();
    match soon(socket.next()).await.unwrap().unwrap() {
        Message::Close(Some(frame)) => assert!(frame.reason.contains("types"), "{frame:?}"),
        other => panic!("{other:?}"),
    }
}
