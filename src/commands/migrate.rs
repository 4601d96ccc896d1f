use std::process::ExitCode;

use crate::{config::Config, installation::Servers};

pub async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let servers = Servers::reach(config).await?;
    let pool = servers.pool(config).await?;
    journal::migrate(&pool).await?;
    println!("the database schema is up to date");
    servers.stop().await;
    Ok(ExitCode::SUCCESS)
}
