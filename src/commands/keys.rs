use std::{path::Path, process::ExitCode};

use access::Permissions;
use anyhow::Context as _;
use domain::{
    Timestamp,
    organizations::{KeyTerms, Organization, OrganizationCommand},
};
use projections::{
    MAX_LIMIT, Slice, TenantScope,
    organizations::{self, ApiKeyRow},
};

use crate::{cli::KeysCommand, config::Config, first_start, installation::Operator};

pub async fn run(config: &Config, command: KeysCommand) -> anyhow::Result<ExitCode> {
    Operator::with(config, async |operator| {
        match command {
            KeysCommand::Issue {
                organization,
                name,
                scopes,
                expires: expires_at,
                requests_per_minute,
                platform,
                signing_key,
            } => {
                let signing_key = signing_key.as_deref().map(read_signing_key).transpose()?;
                let scopes = Permissions::parse(&scopes).context("--scopes")?.names().to_vec();
                let terms = KeyTerms {
                    name,
                    scopes,
                    expires_at,
                    requests_per_minute,
                    platform,
                    issuer: None,
                    signing_key,
                };
                let views = &operator.installation.views;
                let key =
                    first_start::issue_key(operator.journal(), views, organization, terms).await?;
                eprintln!("{} was issued; this is the only time its secret is shown:", key.id);
                println!("{}", key.secret);
            }
            KeysCommand::List { organization } => {
                let view = operator.view(organizations::NAME).await?;
                let (scope, now) = (TenantScope(organization), operator.journal().clock().now());
                let mut cursor = None;
                loop {
                    let slice = Slice { limit: MAX_LIMIT, cursor: cursor.as_deref() };
                    let page = organizations::keys(scope, &view, slice).await?;
                    page.items.iter().for_each(|row| println!("{}", line(row, now)));
                    cursor = page.next_cursor;
                    if cursor.is_none() {
                        break;
                    }
                }
            }
            KeysCommand::RotateSigning => {
                api::rotate_signing_keys(operator.journal()).await?;
                println!("the next key signs access tokens, on every replica within some seconds");
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

fn read_signing_key(file: &Path) -> anyhow::Result<String> {
    let about = || format!("--signing-key {}", file.display());
    let text = std::fs::read_to_string(file).with_context(about)?;
    api::keys::signing_key(&text).with_context(about)
}

fn line(row: &ApiKeyRow, now: Timestamp) -> String {
    let state = match (row.revoked_at, row.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        (None, _) => "valid",
    };
    let platform = if row.platform { "  (platform)" } else { "" };
    let signed = if row.signing_key.is_some() { "  (signed requests)" } else { "" };
    let scopes = row.scopes.join(",");
    format!("{}  {state:<7}  {}  {scopes}{platform}{signed}", row.key_id, row.name)
}
