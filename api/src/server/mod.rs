//! The HTTP/1 server, and what keeps it answering when it is asked too much.
//!
//! poem's own has no deadline for request heads, no cap on connections and spins on accept
//! errors, so hyper is driven here directly and only hands requests to the poem endpoint. TLS and
//! HTTP/2 are the business of the proxy in front.
//!
//! Two things are counted apart. Connections are cheap and many: when all places are taken, the
//! client that keeps the server waiting longest gives its place up, and no connection outlives its
//! answer. Requests in work are few: one counts from when all of it has come until its answer is
//! made, and what cannot begin soon is refused before anything is done for it. Refusing many costs
//! as well, so while there is no room it is done a few at a time, after whatever is in work.

mod admission;
mod body;
mod connection;
mod places;
mod turns;
mod unread;
mod wire;

use std::{sync::Arc, time::Duration};

use poem::{Endpoint, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{Options, frame::Frame};
use admission::Admission;
pub(crate) use admission::Admitted;
pub(crate) use body::BodyError;
use connection::Connections;
use places::Places;

/// Pause after a failed accept, mostly for want of file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
const CENSUS_PAUSE: Duration = Duration::from_secs(1);
/// Held for clients that are sending a body or taking an answer, all together.
const HELD_BYTES: usize = 64 << 20;

/// Serves until told to stop and the open requests have ended or their time is up.
pub(crate) async fn run<E>(
    listener: TcpListener,
    frame: Frame<E>,
    options: &Options,
    stop: CancellationToken,
) where
    E: Endpoint<Output = Response> + 'static,
{
    let connections = Arc::new(Connections::new(frame, options, stop.clone()));
    let places = Places::new(options.max_connections, HELD_BYTES);
    let mut open = JoinSet::new();
    let rounds = Arc::clone(&connections);
    let rounds = AbortOnDropHandle::new(tokio::spawn(async move { rounds.turns.keep().await }));
    let mut census = tokio::time::interval(CENSUS_PAUSE);
    loop {
        while open.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            _ = census.tick() => {
                count(&places, &connections.requests);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, from)) => {
                prepare(&stream);
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = places.room() => {}
                }
                let (connections, place) = (Arc::clone(&connections), places.enter());
                open.spawn(async move { connections.serve(stream, from, place).await });
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
    drop(rounds);
}

fn count(places: &Places, requests: &Admission) {
    let census = places.census();
    for (state, connections) in
        [("head", census.head), ("transfer", census.transfer), ("serving", census.serving)]
    {
        metrics::gauge!("http_connections", "state" => state).set(connections as f64);
    }
    metrics::gauge!("http_requests_running").set(requests.at_work() as f64);
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
