//! One installation to measure, with nothing in it at first.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use domain::ids::OrganizationId;
use journal::{Actor, Clock, Context, SystemClock};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::time::{Instant, sleep};

use crate::{
    cli::Role,
    config::{Config, Secret},
    installation::{Appender, Installation, Servers},
    roles::{self, Running},
};

/// How often it is looked whether work is done.
const LOOK: Duration = Duration::from_millis(10);
/// Whatever takes longer does not work at all.
const PATIENCE: Duration = Duration::from_secs(900);

pub struct World {
    pub installation: Installation,
    pub config: Config,
    metrics: PrometheusHandle,
    appender: Appender,
    database: String,
    pub org: OrganizationId,
}

impl World {
    pub async fn open(
        mut config: Config,
        metrics: &PrometheusHandle,
        database: String,
        nats: String,
    ) -> anyhow::Result<Self> {
        config.database.url = Some(Secret::new(database.clone()));
        config.nats.url = Some(Secret::new(nats));
        let servers = Servers::start(&config).await?;
        let (installation, appender) = Installation::open(&servers, &config).await?;
        projections::prepare(installation.journal.pool()).await?;
        let org = OrganizationId::from_uuid(SystemClock.new_id());
        let metrics = metrics.clone();
        Ok(Self { installation, config, metrics, appender, database, org })
    }

    /// The roles, as `serve` would run them.
    pub async fn run(&self, roles: &[Role]) -> anyhow::Result<Running> {
        roles::start(&self.installation, &self.config, &self.metrics, roles).await
    }

    pub async fn stop(self) {
        self.appender.stop().await;
        self.installation.close().await;
    }

    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(self.installation.journal.clock())
    }

    pub fn context(&self) -> Context {
        Context::new(self.org, Actor::Operator, self.clock().new_id())
    }

    /// Connections of their own, with what sqlx does by default.
    pub async fn pool(&self, connections: u32) -> anyhow::Result<PgPool> {
        Ok(PgPoolOptions::new().max_connections(connections).connect(&self.database).await?)
    }

    pub async fn head(&self) -> anyhow::Result<u64> {
        Ok(self.installation.journal.head().await?)
    }
}

/// Looks until the work is done; gives how long that took.
pub async fn until(
    mut is_done: impl AsyncFnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<Duration> {
    let started = Instant::now();
    while !is_done().await? {
        ensure!(started.elapsed() < PATIENCE, "it is not done after {PATIENCE:?}");
        sleep(LOOK).await;
    }
    Ok(started.elapsed())
}
