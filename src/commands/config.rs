use std::process::ExitCode;

use crate::config::Config;

pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    print!("{}", config.effective_toml_masked()?);
    Ok(ExitCode::SUCCESS)
}
