//! One file for each command of the command line.

mod advisories;
mod config;
mod dead_letters;
pub mod engine;
mod keys;
mod migrate;
mod organizations;
mod outbox;
mod projections;
mod relay;
mod schemas;
mod serve;
pub mod up;
mod users;
mod vault;

use std::{path::Path, process::ExitCode};

use crate::{
    cli::Command,
    config::{Config, Log},
};

pub fn run(config: Option<&Path>, command: Command) -> anyhow::Result<ExitCode> {
    if let Command::Schemas(arguments) = command {
        return schemas::run(&arguments);
    }
    let mut config = Config::load(config)?;
    if matches!(command, Command::Config) {
        return config::run(&config);
    }
    // Only what runs for long reports on itself, unless somebody wants to hear more.
    if !matches!(command, Command::Up | Command::Serve(_)) && config.log == Log::default() {
        config.log.level = "warn".to_owned();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(dispatch(config, command))
}

async fn dispatch(config: Config, command: Command) -> anyhow::Result<ExitCode> {
    let telemetry = crate::telemetry::init(&config.log, &config.telemetry)?;
    let result = match command {
        Command::Up => up::run(config).await,
        Command::Serve(arguments) => serve::run(config, &arguments.roles).await,
        Command::Migrate => migrate::run(&config).await,
        Command::Projections(command) => projections::run(&config, command).await,
        Command::DeadLetters(command) => dead_letters::run(&config, command).await,
        Command::Outbox(command) => outbox::run(&config, command).await,
        Command::Relay(command) => relay::run(&config, command).await,
        Command::Organizations(command) => organizations::run(&config, command).await,
        Command::Keys(command) => keys::run(&config, command).await,
        Command::Users(command) => users::run(&config, command).await,
        Command::Vault(command) => vault::run(&config, command).await,
        Command::Advisories(command) => advisories::run(&config, command).await,
        Command::Bench(arguments) => crate::bench::run(config, arguments).await,
        Command::Demo(arguments) => crate::demo::run(config, arguments).await,
        Command::Config | Command::Schemas(_) | Command::Engine => Ok(ExitCode::SUCCESS),
    };
    telemetry.shutdown();
    result
}
