use std::process::ExitCode;

use domain::organizations::{Organization, OrganizationCommand};
use projections::{TenantScope, organizations};

use crate::{cli::KeysCommand, config::Config, first_start, installation::Operator};

/// Newest keys shown.
const MAX_KEYS: u32 = 1000;

pub async fn run(config: &Config, command: KeysCommand) -> anyhow::Result<ExitCode> {
    Operator::with(config, async |operator| {
        match command {
            KeysCommand::Issue { organization, name, platform } => {
                let key = first_start::issue_key(
                    operator.journal(),
                    &operator.installation.views,
                    organization,
                    &name,
                    platform,
                )
                .await?;
                eprintln!("{} was issued; this is the only time its secret is shown:", key.id);
                println!("{}", key.secret);
            }
            KeysCommand::List { organization } => {
                let view = operator.view(organizations::NAME).await?;
                let scope = TenantScope(organization);
                for row in organizations::keys(scope, &view, MAX_KEYS).await? {
                    let state = if row.revoked { "revoked" } else { "valid" };
                    let platform = if row.platform { "  (platform)" } else { "" };
                    println!("{}  {state:<7}  {}{platform}", row.key_id, row.name);
                }
            }
            KeysCommand::Revoke { organization, key } => {
                let command = OrganizationCommand::RevokeApiKey {
                    key_id: key,
                    now: operator.journal().clock().now(),
                };
                let context = first_start::operator(operator.journal(), organization);
                let id = organization.to_string();
                operator.journal().execute::<Organization>(&context, &id, command).await?;
                println!("{key} is revoked");
            }
        }
        Ok(ExitCode::SUCCESS)
    })
    .await
}
