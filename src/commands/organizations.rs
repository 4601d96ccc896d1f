use std::process::ExitCode;

use projections::{MAX_LIMIT, Slice, organizations};

use crate::{cli::OrganizationsCommand, config::Config, first_start, installation::Operator};

pub async fn run(config: &Config, command: OrganizationsCommand) -> anyhow::Result<ExitCode> {
    Operator::with(config, async |operator| {
        match command {
            OrganizationsCommand::Create { name, slug } => {
                let id = first_start::create_organization(operator.journal(), &name, &slug).await?;
                println!("{id}");
            }
            OrganizationsCommand::List => {
                let view = operator.view(organizations::NAME).await?;
                let mut cursor: Option<String> = None;
                loop {
                    let slice = Slice { limit: MAX_LIMIT, cursor: cursor.as_deref() };
                    let page = organizations::list(&view, slice).await?;
                    for row in page.items {
                        println!("{}  {:<24}  {}", row.org, row.slug, row.name);
                    }
                    cursor = page.next_cursor;
                    if cursor.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    })
    .await
}
