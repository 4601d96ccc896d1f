use std::process::ExitCode;

use workers::outbox::{self, Waiting};

use crate::{cli::OutboxCommand, config::Config, installation::Operator};

/// Shown at a time.
const MAX_SHOWN: u32 = 1000;

pub async fn run(config: &Config, command: OutboxCommand) -> anyhow::Result<ExitCode> {
    Operator::with(config, async |operator| {
        let pool = operator.journal().pool();
        match command {
            OutboxCommand::List { dead } => {
                outbox::list(pool, dead, MAX_SHOWN).await?.iter().for_each(print);
            }
            OutboxCommand::Retry { position } => {
                let tried = outbox::retry(pool, position).await?;
                println!("{tried} will be tried again");
            }
            OutboxCommand::Discard { position } => {
                let found = outbox::discard(pool, position).await?;
                anyhow::ensure!(found, "#{position} is not among those that were given up");
                println!("#{position} is left undone");
            }
        }
        Ok(())
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

fn print(waiting: &Waiting) {
    let Waiting { position, event_type, tries, due_at, error, dead } = waiting;
    let when = if *dead { "given up".to_owned() } else { format!("due {due_at}") };
    let error = error.as_deref().unwrap_or("not tried yet");
    println!("#{position:<8} {event_type:<32} {tries} tries, {when}: {error}");
}
