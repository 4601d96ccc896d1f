//! The one typed configuration: built-in defaults, then `millrace.toml`, then `MILLRACE_*` variables.
//!
//! Durations and sizes carry their unit in the name. Unknown keys are refused, and every fault found
//! is named at once.

mod accounts;
mod audit;
mod database;
mod faults;
mod jobs;
mod layers;
mod limits;
mod log;
mod login;
mod mail;
mod nats;
mod objects;
mod passwords;
mod projections;
mod relay;
mod scans;
mod secret;
mod server;
mod telemetry;
mod vault;
mod workers;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::layers::{DATA_DIR, Layers};
pub use self::{
    accounts::Accounts,
    audit::{Audit, SinkFormat},
    database::Database,
    faults::Faults,
    jobs::Jobs,
    limits::{Limits, Rate},
    log::{Format, Log},
    login::{Login, ProviderKind},
    mail::{Mail, StartTls},
    nats::Nats,
    objects::Objects,
    passwords::Passwords,
    projections::Projections,
    relay::Relay,
    scans::Scans,
    secret::Secret,
    server::Server,
    telemetry::Telemetry,
    vault::Vault,
    workers::{Sandbox, Workers},
};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Where this installation keeps its files, the private servers' included.
    pub data_dir: PathBuf,
    pub server: Server,
    pub limits: Limits,
    pub accounts: Accounts,
    pub passwords: Passwords,
    pub login: Login,
    pub database: Database,
    pub nats: Nats,
    pub log: Log,
    pub telemetry: Telemetry,
    pub jobs: Jobs,
    pub workers: Workers,
    pub scans: Scans,
    pub objects: Objects,
    pub relay: Relay,
    pub projections: Projections,
    pub vault: Vault,
    pub mail: Mail,
    pub audit: Audit,
}

impl Config {
    /// Reads the file named by `--config` or `MILLRACE_CONFIG`, else `millrace.toml` if there is one
    /// here, and the variables of this process.
    pub fn load(file: Option<&Path>) -> Result<Self, Faults> {
        Self::from_sources(file, std::env::vars_os())
    }

    pub fn from_sources(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut layers = Layers::read(file, variables, &mut faults);
        let config = Self {
            data_dir: layers.top(DATA_DIR, &mut faults).unwrap_or_else(|| ".millrace".into()),
            server: layers.section(&mut faults),
            limits: layers.section(&mut faults),
            accounts: layers.section(&mut faults),
            passwords: layers.section(&mut faults),
            login: layers.section(&mut faults),
            database: layers.section(&mut faults),
            nats: layers.section(&mut faults),
            log: layers.section(&mut faults),
            telemetry: layers.section(&mut faults),
            jobs: layers.section(&mut faults),
            workers: layers.section(&mut faults),
            scans: layers.section(&mut faults),
            objects: layers.section(&mut faults),
            relay: layers.section(&mut faults),
            projections: layers.section(&mut faults),
            vault: layers.section(&mut faults),
            mail: layers.section(&mut faults),
            audit: layers.section(&mut faults),
        };
        layers.refuse_rest(&mut faults);
        config.check_together(&mut faults);
        faults.into_result(config)
    }

    /// The values in force, as a configuration file, with secrets masked.
    pub fn effective_toml_masked(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// What no section can tell alone.
    fn check_together(&self, faults: &mut Faults) {
        if self.data_dir.as_os_str().is_empty() {
            faults.add(DATA_DIR, "must name a folder");
        }
        if self.nats.replicas > 1 && self.nats.url.is_none() {
            faults.add("nats.replicas", "the private nats-server keeps one copy: set nats.url");
        }
        self.login.check_with(&self.server, faults);
    }
}
