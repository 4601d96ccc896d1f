//! One request at a time, slowly, to addresses that were checked, with a bound on everything.

use std::{collections::HashMap, error::Error as _, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Empty;
use hyper::{
    Method, Uri,
    body::Bytes,
    client::conn::http1,
    header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use outbound::AddressPolicy;
use rustls::RootCertStore;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};
use url::{Position, Url};

use super::{
    connect::{self, Duplex, Tls},
    failure::Failure,
    response::{self, Response},
};
use crate::Limits;

const AGENT: &str = concat!("millrace-scanner/", env!("CARGO_PKG_VERSION"));
const MAX_HEADER_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 200;

pub(super) struct Settings {
    /// Certificates are judged by these.
    pub roots: Arc<RootCertStore>,
    pub request_timeout: Duration,
    /// Least time between the starts of two requests.
    pub pace: Duration,
}

pub(super) struct Request<'a> {
    pub method: Method,
    pub url: &'a Url,
    pub header: Option<(&'static str, &'a str)>,
    pub max_body: usize,
}

pub(super) struct Client {
    pub settings: Settings,
    policy: AddressPolicy,
    deadline: Instant,
    bytes_left: u64,
    next_start: Instant,
    /// A name keeps its first addresses for the whole scan.
    addresses: HashMap<(String, u16), Vec<SocketAddr>>,
    pub requests: u32,
}

impl<'a> Request<'a> {
    pub fn get(url: &'a Url, max_body: usize) -> Self {
        Self { method: Method::GET, url, header: None, max_body }
    }
}

impl Client {
    pub fn new(policy: AddressPolicy, settings: Settings, limits: &Limits) -> Self {
        let now = Instant::now();
        Self {
            settings,
            policy,
            deadline: now + Duration::from_secs(limits.time_s.into()),
            bytes_left: limits.max_total_bytes,
            next_start: now,
            addresses: HashMap::new(),
            requests: 0,
        }
    }

    /// The answer to one request, whatever its status; redirects are not followed. An answer whose
    /// body is cut short by a bound counts as an answer.
    pub async fn ask(&mut self, request: &Request<'_>) -> Result<Response, Failure> {
        let until = self.take_turn().await?;
        let answer = match timeout_at(until, self.exchange(request, until)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::TimedOut),
        };
        let answer = answer.map_err(|failure| self.timed(failure))?;
        self.bytes_left = self.bytes_left.saturating_sub(answer.body.len() as u64);
        Ok(answer)
    }

    /// A bare connection, for what is not HTTP.
    pub async fn open(&mut self, url: &Url) -> Result<(TcpStream, Instant), Failure> {
        let until = self.take_turn().await?;
        let stream = match timeout_at(until, self.connect(url, until)).await {
            Ok(stream) => stream,
            Err(_) => Err(Failure::TimedOut),
        };
        Ok((stream.map_err(|failure| self.timed(failure))?, until))
    }

    /// Waits until the next request may start. The answer says when it must have ended.
    async fn take_turn(&mut self) -> Result<Instant, Failure> {
        if self.bytes_left == 0 {
            return Err(Failure::BytesUp);
        }
        sleep_until(self.next_start.min(self.deadline)).await;
        let now = Instant::now();
        if now >= self.deadline {
            return Err(Failure::TimeUp);
        }
        self.next_start = now + self.settings.pace;
        self.requests += 1;
        Ok(self.deadline.min(now + self.settings.request_timeout))
    }

    fn timed(&self, failure: Failure) -> Failure {
        let out_of_time = Instant::now() >= self.deadline;
        if out_of_time && matches!(failure, Failure::TimedOut) { Failure::TimeUp } else { failure }
    }

    async fn connect(&mut self, url: &Url, until: Instant) -> Result<TcpStream, Failure> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let key = (host, url.port_or_known_default().unwrap_or_default());
        if let Some(addresses) = self.addresses.get(&key) {
            return connect::tcp(addresses, until).await;
        }
        let addresses = self.policy.resolve(&key.0, key.1).await?;
        connect::tcp(self.addresses.entry(key).or_insert(addresses), until).await
    }

    async fn exchange(
        &mut self,
        request: &Request<'_>,
        until: Instant,
    ) -> Result<Response, Failure> {
        let stream = self.connect(request.url, until).await?;
        let (stream, tls): (Box<dyn Duplex>, Option<Tls>) = if request.url.scheme() == "https" {
            let (stream, tls) = connect::tls(stream, request.url).await?;
            (stream, Some(tls))
        } else {
            (Box::new(stream), None)
        };
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEADER_BYTES)
            .max_headers(MAX_HEADERS)
            .ignore_invalid_headers_in_responses(true)
            .handshake(TokioIo::new(stream))
            .await?;
        // Leaving this function ends the task, and with it the connection.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let answer = match sender.send_request(head(request)?).await {
            Ok(answer) => answer,
            // The connection had ended before it was asked, and knows why.
            Err(error) if error.is_canceled() => {
                let ended = driver.join_next().await;
                return Err(ended.and_then(Result::ok).map_or_else(|| error.into(), unasked));
            }
            Err(error) => return Err(error.into()),
        };
        let bytes_left = usize::try_from(self.bytes_left).unwrap_or(usize::MAX);
        let max_body = request.max_body.min(bytes_left);
        Ok(response::read(answer, request.url.clone(), tls, max_body, until).await)
    }
}

fn unasked(ended: hyper::Result<()>) -> Failure {
    match ended {
        Ok(()) => Failure::Closed,
        // No fault of the network: the server spoke first, which none does in HTTP.
        Err(error) if error.source().is_none() => Failure::NotHttp(error.to_string()),
        Err(error) => error.into(),
    }
}

fn head(request: &Request<'_>) -> Result<hyper::Request<Empty<Bytes>>, Failure> {
    let broken = |error: &dyn std::error::Error| Failure::Broken(error.to_string());
    let url = request.url;
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let uri: Uri = target.parse().map_err(|error| broken(&error))?;
    let mut head = hyper::Request::builder()
        .method(request.method.clone())
        .uri(uri)
        .header(HOST, &url[Position::BeforeHost..Position::AfterPort])
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close");
    if let Some((name, value)) = request.header {
        head = head.header(name, value);
    }
    head.body(Empty::new()).map_err(|error| broken(&error))
}
