use std::process::ExitCode;

use projections::{
    MAX_LIMIT, Reach, Slice,
    dead_letters::{self, DeadLetter, LetterId, Missing, Replayed},
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
            let id = LetterId::new(projection, position);
            let (letter, event) = dead_letters::show(Reach::Installation, journal, &id).await?;
            print(&letter);
            println!("{} v{} by {}", event.event_type, event.event_version, event.actor);
            println!("{}", event.payload.get());
            Ok(())
        }
        DeadLettersCommand::Replay { projection, position } => {
            let id = LetterId::new(projection, position);
            show(&dead_letters::replay(journal, &id).await?);
            Ok(())
        }
        DeadLettersCommand::Discard { projection, position } => {
            let id = LetterId::new(projection, position);
            let replayed = dead_letters::discard(journal, &id).await?;
            println!("#{position} is left out of {}", id.projection);
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
    let pool = operator.journal().pool();
    let mut cursor: Option<String> = None;
    loop {
        let slice = Slice { limit: MAX_LIMIT, cursor: cursor.as_deref() };
        let page = dead_letters::list(Reach::Installation, pool, projection, slice).await?;
        page.items.iter().for_each(print);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// One line for each build that misses the event.
fn print(letter: &DeadLetter) {
    for missing in &letter.builds {
        println!("{}", line(letter, missing));
    }
}

fn line(letter: &DeadLetter, missing: &Missing) -> String {
    let why = if missing.parked { "waits behind an earlier one" } else { missing.error.as_str() };
    format!(
        "{:<14} #{:<8} {:<24} {}  generation {}  {why}",
        letter.id.projection,
        letter.id.position,
        letter.event_type,
        letter.aggregate_id,
        missing.generation
    )
}
