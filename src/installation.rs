//! The servers an installation stands on, and what every role shares on top of them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use embedded::{DataDir, Nats, NatsOptions, Postgres, PostgresOptions};
use journal::{Bus, BusOptions, Journal, SystemClock};
use projections::{View, ViewError, Views};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio_util::sync::CancellationToken;
use vault::{KeyRing, KeySource};

use crate::{
    config::{Config, Vault},
    endpoints,
    endpoints::Endpoints,
    objects::Objects,
};

/// Longest wait for a connection; a command that waits longer is better refused.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an operator's command waits for a view to catch up.
const VIEW_WAIT: Duration = Duration::from_secs(2);
/// Of the private Postgres, for the appender and the operator's commands.
const SPARE_CONNECTIONS: u16 = 50;
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// In the data directory.
const MASTER_KEY: &str = "master.key";
/// Restarts of a private server in a row before the installation gives up.
const SERVER_RESTARTS: u32 = 5;

/// Postgres and NATS: those that are configured, or private ones.
pub struct Servers {
    pub endpoints: Endpoints,
    postgres: Option<Postgres>,
    nats: Option<Nats>,
    /// Held while private servers run on it.
    data_dir: Option<DataDir>,
}

impl Servers {
    /// Starts whatever is not configured.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let (database, nats) = (config.database.url.as_ref(), config.nats.url.as_ref());
        if let (Some(database), Some(nats)) = (database, nats) {
            let endpoints = Endpoints {
                database: database.expose().to_owned(),
                nats: nats.expose().to_owned(),
            };
            return Ok(Self { endpoints, postgres: None, nats: None, data_dir: None });
        }
        let data_dir = DataDir::open(&config.data_dir)?;
        let postgres = match database {
            Some(_) => None,
            None => Some(Postgres::start(&data_dir, postgres_options(config)).await?),
        };
        let private_nats = match nats {
            Some(_) => None,
            None => Some(Nats::start(&data_dir, nats_options(config)).await?),
        };
        let endpoints = Endpoints {
            database: url_of(database, postgres.as_ref().map(Postgres::url)),
            nats: url_of(nats, private_nats.as_ref().map(Nats::url)),
        };
        endpoints.write(&config.data_dir).context("the addresses could not be kept")?;
        Ok(Self { endpoints, postgres, nats: private_nats, data_dir: Some(data_dir) })
    }

    /// Those of the `millrace up` that runs on the data directory, else as [`Servers::start`].
    pub async fn reach(config: &Config) -> anyhow::Result<Self> {
        match Self::start(config).await {
            Err(error) if is_in_use(&error) => {
                let endpoints = Endpoints::read(&config.data_dir)?.with_context(|| {
                    format!("{} is still starting; try again", config.data_dir.display())
                })?;
                Ok(Self { endpoints, postgres: None, nats: None, data_dir: None })
            }
            other => other,
        }
    }

    pub async fn pool(&self, config: &Config) -> anyhow::Result<PgPool> {
        PgPoolOptions::new()
            .max_connections(config.database.max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A connection that died is found out by its next use; asking first costs a round trip.
            .test_before_acquire(false)
            .connect(&self.endpoints.database)
            .await
            .context("no connection to Postgres")
    }

    pub async fn bus(&self, config: &Config) -> anyhow::Result<Bus> {
        let options = BusOptions {
            url: self.endpoints.nats.clone(),
            prefix: config.nats.prefix.clone(),
            replicas: usize::from(config.nats.replicas),
            name: "millrace".to_owned(),
        };
        Ok(Bus::connect(options).await?)
    }

    /// Keeps private servers running, and returns when one cannot be kept so. Safe to drop.
    pub async fn supervise(&mut self) -> anyhow::Error {
        let postgres = async {
            match &mut self.postgres {
                Some(server) => server.supervise(SERVER_RESTARTS).await,
                None => std::future::pending().await,
            }
        };
        let nats = async {
            match &mut self.nats {
                Some(server) => server.supervise(SERVER_RESTARTS).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            error = postgres => error.into(),
            error = nats => error.into(),
        }
    }

    pub async fn stop(self) {
        if let Some(nats) = self.nats {
            nats.stop().await;
        }
        if let Some(postgres) = self.postgres {
            postgres.stop().await;
        }
        if let Some(data_dir) = self.data_dir
            && let Err(error) = endpoints::remove(data_dir.path())
        {
            tracing::warn!(%error, "the addresses of the servers are left in the data directory");
        }
    }
}

fn is_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(embedded::Error::InUse { .. }))
}

fn url_of(configured: Option<&crate::config::Secret>, private: Option<String>) -> String {
    private.or_else(|| configured.map(|url| url.expose().to_owned())).unwrap_or_default()
}

fn postgres_options(config: &Config) -> PostgresOptions {
    PostgresOptions {
        binaries: config.database.binaries.clone(),
        shared_buffers_mb: config.database.shared_buffers_mb,
        max_connections: u16::try_from(config.database.max_connections)
            .unwrap_or(u16::MAX)
            .saturating_add(SPARE_CONNECTIONS),
        ..PostgresOptions::default()
    }
}

fn nats_options(config: &Config) -> NatsOptions {
    NatsOptions { binary: config.nats.binary.clone(), ..NatsOptions::default() }
}

/// The log, the bus and the views: what roles are made of. Cheap to clone.
#[derive(Clone)]
pub struct Installation {
    pub journal: Journal,
    pub bus: Bus,
    pub views: Views,
    pub objects: Objects,
}

/// Ends the appender when everything that uses it has ended.
pub struct Appender {
    stop: CancellationToken,
    task: journal::AppenderTask,
}

impl Appender {
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the appender was aborted");
        }
    }
}

impl Installation {
    /// Opens the log, its schema brought up to date.
    pub async fn open(servers: &Servers, config: &Config) -> anyhow::Result<(Self, Appender)> {
        let ring = master_keys(config)?;
        let pool = servers.pool(config).await?;
        journal::migrate(&pool).await?;
        let stop = CancellationToken::new();
        let (journal, task) =
            Journal::open_with_keys(pool.clone(), Arc::new(SystemClock), ring, stop.clone())
                .await
                .context("the keys of personal data could not be opened")?;
        if let source @ KeySource::File(_) = key_source(config) {
            let (journal, stop) = (journal.clone(), stop.clone());
            tokio::spawn(async move { journal.follow_master_keys(source, stop).await });
        }
        let bus = servers.bus(config).await?;
        let installation =
            Self { journal, bus, views: Views::new(pool), objects: Objects::open(config)? };
        Ok((installation, Appender { stop, task }))
    }

    /// Closes the connections to Postgres. One that is still in use is left to end by itself.
    pub async fn close(&self) {
        let closed = self.journal.pool().close();
        if tokio::time::timeout(CLOSE_PATIENCE, closed).await.is_err() {
            tracing::warn!("connections to Postgres are still in use");
        }
    }
}

/// The master keys that are configured, or those of the data directory.
fn master_keys(config: &Config) -> anyhow::Result<KeyRing> {
    let Vault { keys, file, .. } = &config.vault;
    if keys.is_none() && file.is_none() {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("{} could not be made", config.data_dir.display()))?;
        let file = config.data_dir.join(MASTER_KEY);
        return Ok(vault::load_or_generate(&file, &mut rand::rng())?);
    }
    Ok(key_source(config).ring()?)
}

/// Where they come from.
pub fn key_source(config: &Config) -> KeySource {
    let Vault { keys, file, .. } = &config.vault;
    match (keys, file) {
        (Some(keys), _) => KeySource::Text(keys.expose().to_owned().into()),
        (None, Some(file)) => KeySource::File(file.clone()),
        (None, None) => KeySource::File(config.data_dir.join(MASTER_KEY)),
    }
}

/// What the operator's commands work on.
pub struct Operator {
    pub installation: Installation,
    servers: Servers,
}

impl Operator {
    /// Does the work on the installation, and leaves it as it was found, running or not.
    pub async fn with<T>(
        config: &Config,
        work: impl AsyncFnOnce(&Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let servers = Servers::reach(config).await?;
        let (installation, appender) = match Installation::open(&servers, config).await {
            Ok(opened) => opened,
            Err(error) => {
                servers.stop().await;
                return Err(error);
            }
        };
        let operator = Self { installation, servers };
        let result = work(&operator).await;
        appender.stop().await;
        operator.installation.close().await;
        operator.servers.stop().await;
        result
    }

    pub fn journal(&self) -> &Journal {
        &self.installation.journal
    }

    /// The view with everything that is in the log now, where a projector runs; else as it stands.
    pub async fn view(&self, name: &'static str) -> anyhow::Result<View> {
        let head = self.journal().head().await?;
        let views = &self.installation.views;
        match views.open(name, Some(head), VIEW_WAIT).await {
            Err(ViewError::Stale { position }) => {
                eprintln!(
                    "the view stands at {position} of {head}: no projector keeps it up to date"
                );
                Ok(views.open(name, None, Duration::ZERO).await?)
            }
            other => Ok(other?),
        }
    }
}

/// The program itself, which workers start again inside the sandbox.
pub fn own_program() -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe().context("the path of this program is not known")?;
    Ok(Path::new(&path).canonicalize()?)
}
