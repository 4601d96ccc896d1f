//! Running roles in one process, and ending them in order.

mod api;
mod housekeeping;
mod open_files;
pub mod outbox;
pub mod projector;
mod relay;
mod worker;

use std::{net::SocketAddr, time::Duration};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{cli::Role, config::Config, installation::Installation, telemetry};

/// A role that does not end within its time, plus this, is left behind.
const LAST_PATIENCE: Duration = Duration::from_secs(30);

/// The roles of this process, running.
pub struct Running {
    /// In the order they are ended: what takes in work first, what work rests on last.
    stages: Vec<Stage>,
    pub api: Option<SocketAddr>,
}

struct Stage {
    name: &'static str,
    stop: CancellationToken,
    tasks: Tasks,
    patience: Duration,
}

type Tasks = Vec<JoinHandle<anyhow::Result<()>>>;

/// Starts the roles. When one cannot be started, those that were are ended again.
pub async fn start(
    installation: &Installation,
    config: &Config,
    metrics: &PrometheusHandle,
    roles: &[Role],
) -> anyhow::Result<Running> {
    let mut running = Running { stages: Vec::new(), api: None };
    match running.start(installation, config, metrics, roles).await {
        Ok(()) => Ok(running),
        Err(error) => {
            running.stop().await;
            Err(error)
        }
    }
}

impl Running {
    async fn start(
        &mut self,
        installation: &Installation,
        config: &Config,
        metrics: &PrometheusHandle,
        roles: &[Role],
    ) -> anyhow::Result<()> {
        let has = |role| roles.contains(&role);
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        // An address that is taken is found out before any work begins.
        let listener = if has(Role::Api) { Some(api::bind(config)?) } else { None };
        self.begin("doorbell", Duration::ZERO, async |stop| {
            Ok(worker::doorbell(installation, stop))
        })
        .await?;
        if let (None, Some(listen)) = (&listener, config.telemetry.metrics_listen) {
            let metrics = metrics.clone();
            self.begin("metrics", Duration::ZERO, async |stop| {
                telemetry::metrics::start(listen, metrics, stop.clone()).await
            })
            .await?;
        }
        // The views must be there before anybody asks them.
        if has(Role::Projector) {
            self.begin("projector", Duration::ZERO, async |stop| {
                projector::start(installation, config, stop).await
            })
            .await?;
        }
        if has(Role::Relay) {
            self.begin("relay", Duration::ZERO, async |stop| {
                Ok(relay::start(installation, config, stop))
            })
            .await?;
        }
        if has(Role::Dispatcher) {
            self.begin("dispatcher", Duration::ZERO, async |stop| {
                worker::dispatcher(installation, config, stop).await
            })
            .await?;
        }
        if has(Role::Worker) {
            self.begin("worker", seconds(config.jobs.drain_timeout_s), async |stop| {
                worker::start(installation, config, stop).await
            })
            .await?;
        }
        if has(Role::Outbox) {
            let api = listener.as_ref().map(tokio::net::TcpListener::local_addr).transpose()?;
            self.begin("outbox", Duration::ZERO, async |stop| {
                outbox::start(installation, config, api, stop)
            })
            .await?;
        }
        if let Some(listener) = listener {
            self.api = Some(listener.local_addr()?);
            self.begin("api", seconds(config.server.drain_timeout_s), async |stop| {
                api::start(installation, config, metrics, listener, stop).await
            })
            .await?;
        }
        Ok(())
    }

    async fn begin(
        &mut self,
        name: &'static str,
        drain: Duration,
        start: impl AsyncFnOnce(&CancellationToken) -> anyhow::Result<Tasks>,
    ) -> anyhow::Result<()> {
        let stop = CancellationToken::new();
        let tasks = start(&stop).await?;
        self.stages.insert(0, Stage { name, stop, tasks, patience: drain + LAST_PATIENCE });
        Ok(())
    }

    /// Ends when a role does, which none does without being told to.
    pub async fn failed(&mut self) -> anyhow::Error {
        loop {
            for stage in &mut self.stages {
                if let Some(index) = stage.tasks.iter().position(JoinHandle::is_finished) {
                    let name = stage.name;
                    return match stage.tasks.swap_remove(index).await {
                        Ok(Ok(())) => anyhow::anyhow!("the {name} ended by itself"),
                        Ok(Err(error)) => error.context(format!("the {name} failed")),
                        Err(error) => {
                            anyhow::Error::new(error).context(format!("the {name} failed"))
                        }
                    };
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends the roles one after the other.
    pub async fn stop(self) {
        for stage in self.stages {
            stage.stop.cancel();
            for task in stage.tasks {
                match tokio::time::timeout(stage.patience, task).await {
                    Ok(Ok(Ok(()))) => {}
                    Ok(Ok(Err(error))) => tracing::error!(role = stage.name, "{error:#}"),
                    Ok(Err(error)) => tracing::error!(role = stage.name, %error, "aborted"),
                    Err(_elapsed) => tracing::error!(role = stage.name, "does not end"),
                }
            }
            tracing::debug!(role = stage.name, "ended");
        }
    }
}
