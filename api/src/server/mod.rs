//! The HTTP/1 server.
//!
//! poem's own has no deadline for request heads, no cap on connections and spins on accept
//! errors, so hyper is driven here directly and only hands requests to the poem endpoint. TLS and
//! HTTP/2 are the business of the proxy in front.

mod connection;
mod stall;

use std::{sync::Arc, time::Duration};

use poem::{Endpoint, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::Options;
use connection::Connections;

/// Pause after a failed accept, mostly for want of file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Serves until told to stop and the open requests have ended or their time is up.
pub(crate) async fn run<E>(
    listener: TcpListener,
    endpoint: E,
    options: &Options,
    stop: CancellationToken,
) where
    E: Endpoint<Output = Response> + 'static,
{
    let connections = Arc::new(Connections::new(endpoint, options, stop.clone()));
    let slots = Arc::new(Semaphore::new(options.max_connections));
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            slot = Arc::clone(&slots).acquire_owned() => {
                let Ok(slot) = slot else { break };
                tokio::select! {
                    () = stop.cancelled() => break,
                    accepted = listener.accept() => accepted.map(|(stream, from)| (stream, from, slot)),
                }
            }
        };
        match accepted {
            Ok((stream, from, slot)) => {
                let connections = Arc::clone(&connections);
                prepare(&stream);
                open.spawn(async move {
                    connections.serve(stream, from).await;
                    drop(slot);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    drop(listener);
    let drained = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(options.drain_timeout, drained).await.is_err() {
        tracing::warn!(connections = open.len(), "requests were cut off at shutdown");
        open.shutdown().await;
    }
}

/// Answers are small and often awaited: they are sent at once.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
}

/// Errors of a connection that went away before it was accepted.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
