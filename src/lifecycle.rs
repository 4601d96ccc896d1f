//! From the servers up, and down again in the opposite order, whatever happens in between.

use std::{io, net::SocketAddr, pin::Pin};

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::Role,
    config::Config,
    installation::{Installation, Servers},
    roles, telemetry,
};

/// What runs.
pub struct Started {
    pub installation: Installation,
    /// Address of the HTTP front end, if it runs here.
    pub api: Option<SocketAddr>,
}

/// Runs the roles until `work` is done, something that should not end has ended, or the process is
/// asked to stop: then there is no result.
pub async fn run<T>(
    config: &Config,
    roles: &[Role],
    work: impl AsyncFnOnce(Started) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let asked = asked_to_stop()?;
    tokio::pin!(asked);
    let mut servers = tokio::select! {
        servers = Servers::start(config) => servers?,
        // Servers that were about to start end with this process.
        () = &mut asked => return Ok(None),
    };
    let result = on_servers(&mut servers, config, roles, asked, work).await;
    servers.stop().await;
    result
}

async fn on_servers<T>(
    servers: &mut Servers,
    config: &Config,
    roles: &[Role],
    asked: Pin<&mut impl Future<Output = ()>>,
    work: impl AsyncFnOnce(Started) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let (installation, appender) = Installation::open(servers, config).await?;
    let result = with_roles(&installation, servers, config, roles, asked, work).await;
    appender.stop().await;
    installation.close().await;
    result
}

async fn with_roles<T>(
    installation: &Installation,
    servers: &mut Servers,
    config: &Config,
    roles: &[Role],
    asked: Pin<&mut impl Future<Output = ()>>,
    work: impl AsyncFnOnce(Started) -> anyhow::Result<T>,
) -> anyhow::Result<Option<T>> {
    let metrics = telemetry::metrics::install()?;
    let mut running = roles::start(installation, config, &metrics, roles).await?;
    let started = Started { installation: installation.clone(), api: running.api };
    let result = tokio::select! {
        done = work(started) => done.map(Some),
        error = running.failed() => Err(error),
        error = servers.supervise() => Err(error),
        () = asked => Ok(None),
    };
    tracing::info!("shutting down");
    running.stop().await;
    result
}

/// Ends when the process is asked to end; it listens from the call on.
pub fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
