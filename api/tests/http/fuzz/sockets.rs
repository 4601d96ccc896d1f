use futures::{SinkExt, StreamExt};
use proptest::{collection::vec, prelude::*};
use testkit::{misshapen, mutated};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use super::{FOR_A_VIEW, against_a_server};
use crate::support::soon;

fn wanted() -> impl Strategy<Value = Vec<u8>> {
    let sample = serde_json::json!({ "after": 17, "types": ["scan.completed"],
        "aggregate_id": "scan_01h455vb4pex5vsknk084sn02q" });
    let bytes = vec![sample.to_string().into_bytes()];
    let shaped = misshapen(vec![sample]).prop_map(|value| value.to_string().into_bytes());
    prop_oneof![shaped, mutated(bytes)]
}

#[test]
fn whatever_is_said_first_a_socket_can_be_closed() {
    against_a_server(
        200,
        FOR_A_VIEW,
        &(wanted(), any::<bool>()),
        async |server, (first, binary)| {
            let url = format!("ws://{}/v1/events/ws", server.address);
            let mut request = url.into_client_request().unwrap();
            request.headers_mut().insert("x-api-key", server.owner.key.parse().unwrap());
            let stream = TcpStream::connect(server.address).await.unwrap();
            let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
            let first = match String::from_utf8(first) {
                Ok(text) if !binary => Message::text(text),
                Ok(text) => Message::binary(text.into_bytes()),
                Err(error) => Message::binary(error.into_bytes()),
            };
            // The server may be the first to close.
            let _ = socket.send(first).await;
            let _ = socket.close(None).await;
            soon(async { while let Some(Ok(_)) = socket.next().await {} }).await;
            Ok(())
        },
    );
}

#[test]
fn bytes_that_are_no_request_are_refused_or_cut_off() {
    let sample = b"POST /v1/scans HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        .to_vec();
    let pieces =
        vec(mutated(vec![sample, b"GET /v1/scans HTTP/1.1\r\nhost: a\r\n\r\n".to_vec()]), 1..=2);
    against_a_server(300, FOR_A_VIEW, &pieces, async |server, pieces| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        for piece in pieces {
            // The server may have given up already.
            if stream.write_all(&piece).await.is_err() {
                break;
            }
        }
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        prop_assert!(answer.is_empty() || answer.starts_with("HTTP/1."), "{answer}");
        prop_assert!(!answer.contains("HTTP/1.1 5"), "{answer}");
        Ok(())
    });
}
