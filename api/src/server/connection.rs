use std::{convert::Infallible, net::SocketAddr, pin::pin, time::Duration};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::{
    Addr, Endpoint, Request, Response,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::stall::StallGuard;
use crate::Options;

/// Header fields of a request; more are refused with 431.
const MAX_HEADERS: usize = 100;
/// hyper takes no smaller buffer.
const MIN_BUFFER: usize = 8192;

/// How each connection is served.
pub(super) struct Connections<E> {
    endpoint: E,
    http: http1::Builder,
    write_timeout: Duration,
    stop: CancellationToken,
}

impl<E: Endpoint<Output = Response> + 'static> Connections<E> {
    pub fn new(endpoint: E, options: &Options, stop: CancellationToken) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(options.header_timeout)
            .max_headers(MAX_HEADERS)
            .max_header_size(options.max_header_bytes)
            .max_buf_size(options.max_header_bytes.max(MIN_BUFFER));
        Self { endpoint, http, write_timeout: options.write_timeout, stop }
    }

    /// Until the connection is closed by either side. After the stop it still finishes the request
    /// it is in.
    pub async fn serve(&self, stream: TcpStream, from: SocketAddr) {
        let local = stream.local_addr().ok();
        let local = local.map_or_else(LocalAddr::default, |to| LocalAddr(Addr::SocketAddr(to)));
        let remote = RemoteAddr(Addr::SocketAddr(from));
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let request: Request = (request, local.clone(), remote.clone(), Scheme::HTTP).into();
            async move {
                let response = self.endpoint.get_response(request).await;
                Ok::<hyper::Response<_>, Infallible>(response.into())
            }
        });
        let io = TokioIo::new(StallGuard::new(stream, self.write_timeout));
        let mut connection = pin!(self.http.serve_connection(io, service).with_upgrades());
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, %from, "a connection ended early");
        }
    }
}
