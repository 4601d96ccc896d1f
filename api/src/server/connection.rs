use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::ready,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::{
    Response as Sent,
    body::{Body as _, Incoming},
    header::{CONNECTION, HeaderValue},
    http::StatusCode,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::{
    Addr, Endpoint, Request, Response,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Admission, Admitted, BodyError, body,
    places::Place,
    turns::Turns,
    unread::{self, Unread},
    wire::{Answer, Wire},
};
use crate::{
    Options,
    frame::Frame,
    problem::{Code, Problem},
};

/// Header fields of a request; more are refused with 431.
const MAX_HEADERS: usize = 100;
/// hyper takes no smaller buffer.
const MIN_BUFFER: usize = 8192;
/// Requests of an operator's machinery worked on at once, apart from all others: what goes on must
/// be seen most of all when there is too much of it.
const PROBES: usize = 8;
/// A request waits so long for others to be done; longer, and its answer would not be worth it.
const QUEUE_PATIENCE: Duration = Duration::from_millis(100);
/// Whoever was heard so late is refused: what room there is goes to those who need not have waited.
const LATE: Duration = Duration::from_millis(5);
/// For the answer to a client that had to give way in the middle of its body.
const LAST_WORD: Duration = Duration::from_millis(250);

type AnyBody = BoxBody<Bytes, std::io::Error>;

/// How each connection is served.
pub(super) struct Connections<E> {
    frame: Arc<Frame<E>>,
    unread: Unread,
    http: http1::Builder,
    write_timeout: Duration,
    body: body::Limits,
    pub requests: Admission,
    probes: Admission,
    pub turns: Turns,
    stop: CancellationToken,
}

/// Both ends of a connection.
struct Ends {
    local: LocalAddr,
    remote: RemoteAddr,
    /// Whether what is heard now came a while ago.
    late: AtomicBool,
}

impl<E: Endpoint<Output = Response> + 'static> Connections<E> {
    pub fn new(frame: Frame<E>, options: &Options, stop: CancellationToken) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(options.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_header_size(options.max_header_bytes)
            .max_buf_size(options.max_header_bytes.max(MIN_BUFFER));
        let frame = Arc::new(frame);
        Self {
            unread: unread::answers(Arc::clone(&frame)),
            frame,
            http,
            write_timeout: options.write_timeout,
            body: body::Limits { bytes: options.max_body_bytes, within: options.body_timeout },
            requests: Admission::new(options.max_requests, QUEUE_PATIENCE),
            probes: Admission::new(PROBES, QUEUE_PATIENCE),
            turns: Turns::new(),
            stop,
        }
    }

    /// Until the connection is closed by either side or has to give way. After the stop it still
    /// finishes the request it is in.
    pub async fn serve(&self, stream: TcpStream, from: SocketAddr, place: Arc<Place>) {
        let local = stream.local_addr().ok();
        let ends = Ends {
            local: local.map_or_else(LocalAddr::default, |to| LocalAddr(Addr::SocketAddr(to))),
            remote: RemoteAddr(Addr::SocketAddr(from)),
            late: AtomicBool::new(false),
        };
        let service = service_fn(|request| {
            let answer = self.answer(request, &ends, &place);
            async { Ok::<_, Infallible>(answer.await) }
        });
        let unread = Arc::clone(&self.unread);
        let wire = Wire::new(stream, self.write_timeout, Arc::clone(&place), unread);
        let mut connection =
            pin!(self.http.serve_connection(TokioIo::new(wire), service).with_upgrades());
        let mut turn = self.turns.of_connection();
        let heard = poll_fn(|context| {
            let waited = if place.is_unasked() && self.requests.is_full() {
                place.is_due();
                Some(ready!(turn.poll(context)))
            } else {
                turn.leave()
            };
            ends.late.store(waited > Some(LATE), Ordering::Relaxed);
            let polled = connection.as_mut().poll(context);
            if let Some(waited) = waited {
                place.is_seen(waited);
                metrics::histogram!("http_heard_after_seconds").record(waited.as_secs_f64());
            }
            polled
        });
        let ended = tokio::select! {
            // Whatever came before it had to give way is seen first.
            biased;
            ended = heard => ended,
            () = place.turned_out() => {
                if place.is_unasked() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                timeout(LAST_WORD, connection).await.unwrap_or(Ok(()))
            }
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %from, "a connection ended early");
        }
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        ends: &Ends,
        place: &Arc<Place>,
    ) -> Sent<Answer<AnyBody>> {
        place.asked().await;
        let (head, mut body) = request.into_parts();
        let path = head.uri.path();
        let is_probe = path.starts_with("/health/") || path == "/metrics";
        let (admission, late) = if is_probe {
            (&self.probes, false)
        } else {
            (&self.requests, ends.late.load(Ordering::Relaxed))
        };
        let response = match self.admit(admission, late, &mut body, place).await {
            Ok((body, admitted)) => {
                let (local, remote) = (ends.local.clone(), ends.remote.clone());
                let parts = (head, local, remote, Scheme::HTTP).into();
                let mut request = Request::from_parts(parts, body.into());
                request.set_data(admitted);
                self.frame.get_response(request).await
            }
            Err(problem) => self.frame.refuse(&head.headers, &problem),
        };
        let mut response: Sent<AnyBody> = response.into();
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return response.map(|body| Answer { body, place: None });
        }
        if place.is_coveted() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        place.answers(response.size_hint().exact().map(|bytes| bytes as usize));
        response.map(|body| Answer { body, place: Some(Arc::clone(place)) })
    }

    /// Takes the request in when it is whole and there is room to work on it.
    async fn admit(
        &self,
        admission: &Admission,
        late: bool,
        body: &mut Incoming,
        place: &Place,
    ) -> Result<(Bytes, Arc<Admitted>), Problem> {
        if late || admission.is_full() || place.is_turned_out() {
            body::pass_over(body, place).await;
            return Err(busy());
        }
        let body = self.body.read(body, place).await.map_err(|error| refused(&error))?;
        place.works();
        Ok((body, admission.enter().await.ok_or_else(busy)?))
    }
}

fn busy() -> Problem {
    metrics::counter!("http_refused_total", "reason" => "busy").increment(1);
    Problem::new(Code::Overloaded, "there are more requests than can be answered in time")
}

fn refused(error: &BodyError) -> Problem {
    if !matches!(error, BodyError::GaveWay) {
        metrics::counter!("http_refused_total", "reason" => "body").increment(1);
    }
    Problem::from(error)
}
