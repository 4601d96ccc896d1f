use std::{io::Write, process::ExitCode};

use crate::{cli::Role, config::Config, first_start, lifecycle};

pub async fn run(config: Config) -> anyhow::Result<ExitCode> {
    run_roles(&config, &Role::ALL).await
}

/// Runs the roles until the process is asked to stop, and says where they can be reached.
pub async fn run_roles(config: &Config, roles: &[Role]) -> anyhow::Result<ExitCode> {
    lifecycle::run(config, roles, async |started| {
        let Some(address) = started.api else { return std::future::pending().await };
        let installation = &started.installation;
        let mut text = String::new();
        if let Some(key) = first_start::prepare(&installation.journal, &installation.views).await? {
            text += &format!("organization  {}\n", key.organization);
            text += &format!("API key       {}\n", key.secret);
            text += "              (shown this once; `millrace keys issue` makes another)\n";
        }
        text += &format!("API           http://{address}/v1\n");
        text += &format!("documentation http://{address}/docs\n");
        text += &format!("metrics       http://{address}/metrics\n");
        // Whoever read standard output may have gone; that ends no server.
        let _ = std::io::stdout().write_all(text.as_bytes());
        std::future::pending::<anyhow::Result<()>>().await
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}
