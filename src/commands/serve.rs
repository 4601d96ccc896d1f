use std::process::ExitCode;

use crate::{cli::Role, commands::up, config::Config};

pub async fn run(config: Config, roles: &[Role]) -> anyhow::Result<ExitCode> {
    let missing: Vec<_> = [
        ("database.url (DATABASE_URL)", config.database.url.is_none()),
        ("nats.url (NATS_URL)", config.nats.url.is_none()),
    ]
    .into_iter()
    .filter_map(|(name, missing)| missing.then_some(name))
    .collect();
    anyhow::ensure!(
        missing.is_empty(),
        "`serve` works with given servers: set {}, or run `millrace up`",
        missing.join(" and ")
    );
    up::run_roles(&config, roles).await
}
