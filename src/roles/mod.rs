//! Running roles in one process, and ending them in order.

mod api;
mod housekeeping;
mod projector;
mod relay;
mod worker;

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{cli::Role, config::Config, installation::Installation, telemetry};

/// After this long a role that does not end is left behind.
const LAST_PATIENCE: Duration = Duration::from_secs(30);

/// The roles of this process, running.
pub struct Running {
    /// In the order they are ended: what takes in work first, what work rests on last.
    stages: Vec<Stage>,
    pub api: Option<std::net::SocketAddr>,
}

struct Stage {
    name: String,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

/// Starts the roles.
pub async fn start(
    installation: &Installation,
    config: &Config,
    metrics: &metrics_exporter_prometheus::PrometheusHandle,
    roles: &[Role],
) -> anyhow::Result<Running> {
    let mut running = Running { stages: Vec::new(), api: None };
    let stop = CancellationToken::new();
    let tasks = worker::doorbell(installation, &stop);
    running.stages.push(Stage { name: "doorbell".to_owned(), stop, tasks });
    if let Some(listen) = config.telemetry.metrics_listen
        && !roles.contains(&Role::Api)
    {
        let (stop, metrics) = (CancellationToken::new(), metrics.clone());
        let ending = stop.clone();
        let serving = async move {
            tokio::select! {
                served = telemetry::metrics::serve(listen, metrics) => Ok(served?),
                () = ending.cancelled() => Ok(()),
            }
        };
        let tasks = vec![tokio::spawn(serving)];
        running.stages.push(Stage { name: "metrics".to_owned(), stop, tasks });
    }
    // The views must be there before anybody asks them.
    for role in [Role::Projector, Role::Relay, Role::Dispatcher, Role::Worker, Role::Api] {
        if !roles.contains(&role) {
            continue;
        }
        let stop = CancellationToken::new();
        let tasks = match role {
            Role::Projector => projector::start(installation, config, &stop).await?,
            Role::Relay => relay::start(installation, config, &stop),
            Role::Dispatcher => worker::dispatcher(installation, config, &stop).await?,
            Role::Worker => worker::start(installation, config, &stop).await?,
            Role::Api => {
                let (address, task) = api::start(installation, config, metrics, &stop).await?;
                running.api = Some(address);
                vec![task]
            }
        };
        running.stages.insert(0, Stage { name: format!("{role:?}").to_lowercase(), stop, tasks });
    }
    Ok(running)
}

impl Running {
    /// Ends when a role does, which none does without being told to.
    pub async fn failed(&mut self) -> anyhow::Error {
        loop {
            for stage in &mut self.stages {
                if let Some(index) = stage.tasks.iter().position(JoinHandle::is_finished) {
                    let name = &stage.name;
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
                match tokio::time::timeout(LAST_PATIENCE, task).await {
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
