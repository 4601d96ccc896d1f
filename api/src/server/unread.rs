use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use poem::{
    Endpoint, Response,
    http::{HeaderMap, HeaderValue, header},
};

use crate::{
    frame::Frame,
    problem::{Code, Problem},
};

/// What is sent instead of an answer that hyper gives itself, to a head it cannot read: its own has
/// no body.
pub(super) type Unread = Arc<dyn Fn(&[u8]) -> Bytes + Send + Sync>;

pub(super) fn answers<E>(frame: Arc<Frame<E>>) -> Unread
where
    E: Endpoint<Output = Response> + 'static,
{
    Arc::new(move |own| {
        let problem = match own.get("HTTP/1.1 ".len()..).and_then(|rest| rest.get(..3)) {
            Some(b"431") => {
                Problem::new(Code::HeadTooLarge, "the head of the request is too large")
            }
            _ => Problem::new(Code::BadRequest, "the head of the request is not HTTP/1.1"),
        };
        written(frame.refuse(&HeaderMap::new(), &problem))
    })
}

/// The answer as it goes over the wire, the last of its connection.
fn written(answer: Response) -> Bytes {
    let (mut head, body) = answer.into_parts();
    // A problem is there as a whole, so nothing is waited for.
    let body = body.into_bytes().now_or_never().and_then(Result::ok).unwrap_or_default();
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let mut bytes = BytesMut::from(format!("HTTP/1.1 {}\r\n", head.status).as_bytes());
    for (name, value) in &head.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    bytes.freeze()
}
