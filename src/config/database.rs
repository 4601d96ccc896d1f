use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use super::layers::Section;
use super::{Faults, Secret};

/// Postgres: one that is given, or a private one below the data directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgres://..`; also taken from `DATABASE_URL`. A private server is started when absent.
    pub url: Option<Secret>,
    /// Connections of this process.
    pub max_connections: u32,
    /// Folder with `postgres` and `initdb` for the private server; searched for when absent.
    pub binaries: Option<PathBuf>,
    /// Of the private server.
    pub shared_buffers_mb: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: None, max_connections: 20, binaries: None, shared_buffers_mb: 128 }
    }
}

impl Section for Database {
    const NAME: &'static str = "database";

    fn check(&self, faults: &mut Faults) {
        let url = self.url.as_ref().map(|url| Url::parse(url.expose()));
        if url.is_some_and(|url| {
            !url.is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"))
        }) {
            faults.add("database.url", "is not a postgres:// URL");
        }
        faults.range("database.max_connections", self.max_connections, 4..=1000);
        faults.range("database.shared_buffers_mb", self.shared_buffers_mb, 16..=1 << 20);
    }
}
