use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::Role,
    config::Config,
    first_start::{self, NewKey},
    installation::{Appender, Installation, Servers},
    roles::{self, Running},
    telemetry,
};

/// Everything that runs, from the servers up.
pub struct Up {
    servers: Servers,
    pub installation: Installation,
    appender: Appender,
    running: Running,
}

impl Up {
    pub async fn start(config: &Config, roles: &[Role]) -> anyhow::Result<Self> {
        let metrics = telemetry::metrics::install()?;
        let servers = Servers::start(config).await?;
        match Self::open(config, roles, &metrics, &servers).await {
            Ok((installation, appender, running)) => {
                Ok(Self { servers, installation, appender, running })
            }
            Err(error) => {
                servers.stop().await;
                Err(error)
            }
        }
    }

    async fn open(
        config: &Config,
        roles: &[Role],
        metrics: &metrics_exporter_prometheus::PrometheusHandle,
        servers: &Servers,
    ) -> anyhow::Result<(Installation, Appender, Running)> {
        let (installation, appender) = Installation::open(servers, config).await?;
        let running = roles::start(&installation, config, metrics, roles).await?;
        Ok((installation, appender, running))
    }

    /// The key of an empty installation.
    pub async fn first_key(&self) -> anyhow::Result<Option<NewKey>> {
        first_start::prepare(&self.installation.journal, &self.installation.views).await
    }

    /// Address of the HTTP front end, if it runs here.
    pub fn api(&self) -> Option<std::net::SocketAddr> {
        self.running.api
    }

    /// Ends when something that should not end has ended.
    pub async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            error = self.running.failed() => error,
            error = self.servers.supervise() => error,
        }
    }

    pub async fn stop(self) {
        self.running.stop().await;
        self.appender.stop().await;
        self.installation.journal.pool().close().await;
        drop(self.installation);
        self.servers.stop().await;
    }
}

/// Ends when the process is asked to end.
pub async fn asked_to_stop() -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

pub async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let asked = asked_to_stop();
    tokio::pin!(asked);
    let mut up = tokio::select! {
        started = Up::start(&config, &Role::ALL) => started?,
        // Servers that were about to start end with this process.
        asked = &mut asked => return asked.map(|()| ExitCode::SUCCESS),
    };
    if let Some(key) = up.first_key().await? {
        println!("organization  {}", key.organization);
        println!("API key       {}", key.secret);
        println!("              (shown this once; `millrace keys issue` makes another)");
    }
    if let Some(address) = up.api() {
        println!("API           http://{address}/v1");
        println!("documentation http://{address}/docs");
        println!("metrics       http://{address}/metrics");
    }
    let failure = tokio::select! {
        asked = &mut asked => { asked?; None }
        error = up.failed() => Some(error),
    };
    tracing::info!("shutting down");
    up.stop().await;
    match failure {
        Some(error) => Err(error),
        None => Ok(ExitCode::SUCCESS),
    }
}
