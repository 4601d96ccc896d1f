use std::path::PathBuf;

use embedded::{DataDir, Nats, NatsOptions, Postgres, PostgresOptions};

use crate::{configured, scratch};

/// A nats-server with JetStream of one test alone.
pub struct TestNats {
    server: Nats,
    url: String,
    _data_dir: DataDir,
}

pub async fn nats() -> TestNats {
    let data_dir = scratch::data_dir("nats");
    let binary = configured("MILLRACE_NATS__BINARY");
    let options = NatsOptions { binary, password: false, ..NatsOptions::default() };
    let server = Nats::start(&data_dir, options)
        .await
        .unwrap_or_else(|error| panic!("no nats-server for a test: {error}"));
    TestNats { url: server.url(), server, _data_dir: data_dir }
}

impl TestNats {
    /// Stays the same over restarts, and asks for no password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where JetStream keeps its streams.
    pub fn store_dir(&self) -> PathBuf {
        self.server.store_dir()
    }

    /// Ends the server in order.
    pub async fn stop(&self) {
        self.server.pause().await;
    }

    /// Ends the server with SIGKILL.
    pub async fn kill(&self) {
        self.server.kill().await;
    }

    /// Starts the server again on the same port, ending it first if it runs.
    pub async fn restart(&mut self) {
        let restarted = self.server.restart().await;
        restarted.unwrap_or_else(|error| panic!("nats-server did not start again: {error}"));
    }
}

/// A Postgres of one test alone, as durable as the product's.
pub struct TestPostgres {
    server: Postgres,
    url: String,
    _data_dir: DataDir,
}

pub async fn postgres() -> TestPostgres {
    let (server, data_dir) = start_postgres("own", true, 100).await;
    TestPostgres { url: server.url(), server, _data_dir: data_dir }
}

pub async fn start_postgres(
    kind: &str,
    durable: bool,
    max_connections: u16,
) -> (Postgres, DataDir) {
    let data_dir = scratch::data_dir(kind);
    let options = PostgresOptions {
        binaries: configured("MILLRACE_DATABASE__BINARIES"),
        shared_buffers_mb: 64,
        max_connections,
        durable,
    };
    let server = Postgres::start(&data_dir, options)
        .await
        .unwrap_or_else(|error| panic!("no Postgres for a test: {error}"));
    (server, data_dir)
}

impl TestPostgres {
    /// Stays the same over restarts.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends the server with SIGKILL.
    pub async fn kill(&self) {
        self.server.kill().await;
    }

    /// Ends the server in immediate mode: sessions are thrown out, and the next start recovers.
    pub async fn stop_immediately(&self) {
        self.server.stop_immediately().await;
    }

    /// Starts the server again at the same address, ending it first if it runs.
    pub async fn restart(&mut self) {
        let restarted = self.server.restart().await;
        restarted.unwrap_or_else(|error| panic!("Postgres did not start again: {error}"));
    }
}
