use std::process::ExitCode;

use crate::{
    cli::Role,
    commands::up::{Up, asked_to_stop},
    config::Config,
};

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
    let mut up = Up::start(&config, roles).await?;
    if roles.contains(&Role::Api)
        && let Some(key) = up.first_key().await?
    {
        println!("organization  {}", key.organization);
        println!("API key       {} (shown this once)", key.secret);
    }
    if let Some(address) = up.api() {
        println!("API           http://{address}/v1");
    }
    let failure = tokio::select! {
        asked = asked_to_stop() => { asked?; None }
        error = up.failed() => Some(error),
    };
    tracing::info!("shutting down");
    up.stop().await;
    match failure {
        Some(error) => Err(error),
        None => Ok(ExitCode::SUCCESS),
    }
}
