use http_body_util::BodyExt;
use hyper::{HeaderMap, StatusCode, body::Incoming, header::HeaderName};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::connect::Tls;

/// An answer, with as much of its body as was taken.
#[derive(Debug)]
pub(super) struct Response {
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub end: End,
    pub tls: Option<Tls>,
}

/// How the reading of a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// There was more than the bound of the request.
    CutAtBound,
    TimedOut,
    /// The encoding was invalid or the connection was lost.
    Broken,
}

impl Response {
    /// All values of a header in one line, as HTTP defines it.
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.header_values(name);
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub fn header_values(&self, name: &str) -> Vec<String> {
        let Ok(name) = name.parse::<HeaderName>() else { return Vec::new() };
        let values = self.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn is_html(&self) -> bool {
        match self.header("content-type") {
            Some(kind) => {
                let kind = kind.to_ascii_lowercase();
                kind.contains("text/html") || kind.contains("application/xhtml+xml")
            }
            None => self.body.trim_ascii_start().starts_with(b"<"),
        }
    }

    /// Compressed although it was not asked for: the body cannot be read.
    pub fn is_encoded(&self) -> bool {
        self.header("content-encoding").is_some_and(|value| !value.eq_ignore_ascii_case("identity"))
    }

    /// Where a redirect leads to.
    pub fn redirect(&self) -> Option<Url> {
        let follows = matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308);
        let location = self.header_values("location").into_iter().next().filter(|_| follows)?;
        self.url.join(&location).ok()
    }
}

pub(super) async fn read(
    answer: hyper::Response<Incoming>,
    url: Url,
    tls: Option<Tls>,
    max_body: usize,
    until: Instant,
) -> Response {
    let (head, incoming) = answer.into_parts();
    let (body, end) = read_body(incoming, max_body, until).await;
    Response { url, status: head.status, headers: head.headers, body, end, tls }
}

async fn read_body(mut incoming: Incoming, max_body: usize, until: Instant) -> (Vec<u8>, End) {
    let mut body = Vec::new();
    loop {
        let frame = match timeout_at(until, incoming.frame()).await {
            Err(_) => return (body, End::TimedOut),
            Ok(None) => return (body, End::Whole),
            Ok(Some(Err(_))) => return (body, End::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        let room = max_body - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return (body, End::CutAtBound);
        }
    }
}
