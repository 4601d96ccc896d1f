use std::process::ExitCode;

use projections::{
    MAX_LIMIT, Slice,
    dead_letters::{self, DeadLetter, Replayed},
};

use crate::{cli::DeadLettersCommand, config::Config, installation::Operator};

pub async fn run(config: &Config, command: DeadLettersCommand) -> anyhow::Result<ExitCode> {
    Operator::with(config, async |operator| dispatch(operator, command).await).await?;
    Ok(ExitCode::SUCCESS)
}

async fn dispatch(operator: &Operator, command: DeadLettersCommand) -> anyhow::Result<()> {
    let journal = operator.journal();
    match command {
        DeadLettersCommand::List { projection } => list(operator, projection.as_deref()).await,
        DeadLettersCommand::Show { projection, position } => {
            let (letters, event) = dead_letters::show(journal, &projection, position).await?;
            for letter in &letters {
                println!("{}", line(letter));
            }
            println!("{} v{} by {}", event.event_type, event.event_version, event.actor);
            println!("{}", event.payload.get());
            Ok(())
        }
        DeadLettersCommand::Replay { projection, position } => {
            let replayed = dead_letters::replay(journal, &projection, position).await?;
            show(&replayed);
            Ok(())
        }
        DeadLettersCommand::Discard { projection, position } => {
            let replayed = dead_letters::discard(journal, &projection, position).await?;
            println!("#{position} is left out of {projection}");
            show(&replayed);
            Ok(())
        }
    }
}

fn show(replayed: &[Replayed]) {
    for build in replayed {
        println!(
            "generation {}: {} applied, {} still wait",
            build.generation, build.applied, build.left
        );
    }
}

async fn list(operator: &Operator, projection: Option<&str>) -> anyhow::Result<()> {
    let mut cursor: Option<String> = None;
    loop {
        let slice = Slice { limit: MAX_LIMIT, cursor: cursor.as_deref() };
        let page = dead_letters::list(operator.journal().pool(), projection, slice).await?;
        for letter in &page.items {
            println!("{}", line(letter));
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn line(letter: &DeadLetter) -> String {
    let why = if letter.parked { "waits behind an earlier one" } else { letter.error.as_str() };
    format!(
        "{:<14} #{:<8} {:<24} {}  {why}",
        letter.projection, letter.position, letter.event_type, letter.aggregate_id
    )
}
