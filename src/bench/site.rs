//! The servers that are measured, and what is made on them for that.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use futures::TryStreamExt;
use journal::{Clock, SystemClock};
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::{Connection, Executor, PgConnection};
use tempfile::TempDir;
use url::Url;

use super::{stock, world::World};
use crate::{
    config::{Config, Rate},
    installation::Servers,
    telemetry,
};

/// Without any of these a commit may be lost, and its speed says nothing.
const DURABLE: [&str; 3] = ["fsync", "synchronous_commit", "full_page_writes"];
/// No limit stands in the way of the load.
const NO_LIMIT: Rate = Rate::per_minute(100_000_000);
const CLEAN_UP: Duration = Duration::from_secs(60);

pub struct Site {
    servers: Servers,
    pub config: Config,
    pub metrics: PrometheusHandle,
    /// Begins the name of everything that is made.
    name: String,
    worlds: AtomicU32,
    folder: TempDir,
}

impl Site {
    pub async fn open(mut config: Config) -> anyhow::Result<Self> {
        let folder = folder(&config)?;
        config.data_dir = folder.path().to_owned();
        config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        config.limits.key = NO_LIMIT;
        let metrics = telemetry::metrics::install()?;
        let servers = Servers::start(&with_room(&config)).await?;
        let random = SystemClock.new_id().as_u128() as u32;
        let name = format!("millrace_bench_{random:08x}");
        let site = Self { servers, config, metrics, name, worlds: AtomicU32::new(0), folder };
        match site.connect().await {
            Ok(connection) => drop(connection),
            Err(error) => {
                site.close().await;
                return Err(error);
            }
        }
        Ok(site)
    }

    /// An empty installation of its own.
    pub async fn world(&self) -> anyhow::Result<World> {
        let number = self.worlds.fetch_add(1, Ordering::Relaxed);
        let database = self.database(number);
        let mut connection = self.connect().await?;
        connection
            .execute(format!("CREATE DATABASE {database} TEMPLATE template0").as_str())
            .await
            .context("the database to measure in could not be made")?;
        let mut url = Url::parse(&self.servers.endpoints.database)?;
        url.set_path(&database);
        let mut config = self.config.clone();
        config.nats.prefix = database.clone();
        World::open(config, &self.metrics, url.to_string(), self.servers.endpoints.nats.clone())
            .await
    }

    /// Gives up a world, once it is sure that it was durable to its end.
    pub async fn leave(&self, world: World) -> anyhow::Result<()> {
        let name = world.config.nats.prefix.clone();
        world.stop().await;
        drop(self.connect().await?);
        self.remove(&name).await
    }

    pub async fn close(self) {
        match tokio::time::timeout(CLEAN_UP, self.remove(&self.name)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("something of {} may be left: {error:#}", self.name),
            Err(_) => eprintln!("something of {} may be left: the servers are slow", self.name),
        }
        let servers = fs::read_link(self.folder.path().join("servers"));
        self.servers.stop().await;
        // Where the servers of root live when they cannot get to the data directory.
        if let Ok(elsewhere) = servers
            && let Err(error) = fs::remove_dir_all(&elsewhere)
        {
            eprintln!("{} is left: {error}", elsewhere.display());
        }
    }

    /// A connection to the server's own database; refused when the server is not durable.
    async fn connect(&self) -> anyhow::Result<PgConnection> {
        let mut connection = PgConnection::connect(&self.servers.endpoints.database)
            .await
            .context("no connection to Postgres")?;
        for setting in DURABLE {
            let value: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&mut connection)
                .await?;
            ensure!(
                value != "off",
                "{setting} is off: nothing is measured on a Postgres that may lose a commit"
            );
        }
        Ok(connection)
    }

    fn database(&self, number: u32) -> String {
        format!("{}_{number}", self.name)
    }

    /// Removes what a world made, or all of them, by the name that theirs begin with.
    async fn remove(&self, name: &str) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(&self.servers.endpoints.database).await?;
        let bus = self.servers.bus(&self.config).await?;
        let streams: Vec<String> = bus.jetstream().stream_names().try_collect().await?;
        for stream in streams.iter().filter(|stream| stream.starts_with(&format!("{name}_"))) {
            bus.jetstream().delete_stream(stream).await?;
        }
        for number in 0..self.worlds.load(Ordering::Relaxed) {
            let database = self.database(number);
            if database == name || self.name == name {
                let drop = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
                connection.execute(drop.as_str()).await?;
            }
        }
        // A server that is about to end is not missed.
        bus.client().drain().await?;
        Ok(())
    }
}

/// A private server also has to take the connections of those that are compared.
fn with_room(config: &Config) -> Config {
    let mut config = config.clone();
    config.database.max_connections += 3 * stock::POOL;
    config
}

/// On the disk that the installation itself would use, so that a sync costs what it costs there.
fn folder(config: &Config) -> anyhow::Result<TempDir> {
    let parent = &config.data_dir;
    fs::create_dir_all(parent).with_context(|| format!("no folder {}", parent.display()))?;
    tempfile::Builder::new()
        .prefix("bench-")
        .permissions(fs::Permissions::from_mode(0o711))
        .tempdir_in(parent)
        .with_context(|| format!("no folder below {}", parent.display()))
}
