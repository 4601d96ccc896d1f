use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail};
use projections::{Differences, Generation, LEVEL_WAIT, RebuildError, Status, Terms};
use tokio_util::sync::CancellationToken;

use crate::{cli::ProjectionsCommand, config::Config, installation::Operator, roles::projector};

/// How long a rebuild may stand still before it is given up on.
const HALT_PATIENCE: Duration = Duration::from_secs(30);
const PROGRESS_PAUSE: Duration = Duration::from_secs(1);

pub async fn run(config: &Config, command: ProjectionsCommand) -> anyhow::Result<ExitCode> {
    Operator::with(config, async |operator| {
        projections::prepare(operator.journal().pool()).await?;
        dispatch(operator, config, command).await
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn dispatch(
    operator: &Operator,
    config: &Config,
    command: ProjectionsCommand,
) -> anyhow::Result<()> {
    let pool = operator.journal().pool();
    match command {
        ProjectionsCommand::List => list(operator).await,
        ProjectionsCommand::Rebuild { name } => {
            with_projector(operator, config, rebuild(operator, &name)).await
        }
        ProjectionsCommand::Switch { name, accept_differences } => {
            let differences =
                if accept_differences { Differences::Accept } else { Differences::Refuse };
            with_projector(operator, config, async {
                let switched = projections::switch(pool, &name, differences, Terms::default());
                switched.await.map_err(|error| match error {
                    RebuildError::Differ { .. } => anyhow!(
                        "{error}; look before you switch, with `--accept-differences` if you want it"
                    ),
                    other => other.into(),
                })?;
                println!("the rebuilt {name} answers now; `projections rollback {name}` goes back");
                Ok(())
            })
            .await
        }
        ProjectionsCommand::Rollback { name } => {
            with_projector(operator, config, async {
                projections::rollback(pool, &name, Terms::default()).await?;
                println!("the former {name} answers again");
                Ok(())
            })
            .await
        }
        ProjectionsCommand::Drop { name, version: None } => {
            projections::drop_standby(pool, &name).await?;
            println!("the standby of {name} is gone");
            Ok(())
        }
        ProjectionsCommand::Drop { name, version: Some(version) } => {
            projections::drop_version(pool, &name, version).await?;
            println!("version {version} of {name} is gone");
            Ok(())
        }
        ProjectionsCommand::Cancel { name } => {
            projections::cancel_rebuild(pool, &name).await?;
            println!("the rebuild of {name} is given up");
            Ok(())
        }
    }
}

async fn list(operator: &Operator) -> anyhow::Result<()> {
    for build in projections::list(operator.journal().pool()).await? {
        println!("{}", line(&build));
    }
    Ok(())
}

async fn rebuild(operator: &Operator, name: &str) -> anyhow::Result<()> {
    let pool = operator.journal().pool();
    let generation = projections::rebuild(pool, name).await?;
    println!("building generation {generation} of {name} beside the live one");
    wait_until_ready(operator, name, generation).await?;
    let comparison = projections::compare(pool, name, LEVEL_WAIT).await?;
    println!("at position {}:", comparison.position);
    for table in &comparison.tables {
        let verdict = if table.equal { "same" } else { "DIFFERENT" };
        println!(
            "  {:<20} {verdict}: {} rows live, {} rebuilt",
            table.table, table.live_rows, table.other_rows
        );
    }
    if !comparison.is_clean() {
        println!(
            "the builds differ: {} dead letters live, {} rebuilt; look before you switch",
            comparison.live_dead_letters, comparison.other_dead_letters
        );
    }
    println!("`millrace projections switch {name}` lets it answer");
    Ok(())
}

async fn wait_until_ready(operator: &Operator, name: &str, generation: i32) -> anyhow::Result<()> {
    let mut halted: Option<Instant> = None;
    loop {
        let builds = projections::list(operator.journal().pool()).await?;
        let build = builds
            .iter()
            .find(|build| build.name == name && build.generation == generation)
            .context("the rebuild was given up meanwhile")?;
        println!("{}", line(build));
        if build.status == Status::Ready {
            return Ok(());
        }
        // A fault of the database passes; one that stays needs a person.
        match &build.error {
            None => halted = None,
            Some(error) => {
                if halted.get_or_insert_with(Instant::now).elapsed() > HALT_PATIENCE {
                    bail!("the rebuild stands still: {error}");
                }
            }
        }
        tokio::time::sleep(PROGRESS_PAUSE).await;
    }
}

/// Runs a projector beside the work: builds move even when no other process feeds them.
async fn with_projector(
    operator: &Operator,
    config: &Config,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let projector = tokio::spawn(projections::run(
        operator.journal().clone(),
        operator.installation.views.clone(),
        projector::options(config),
        stop.clone(),
    ));
    let result = work.await;
    stop.cancel();
    projector.await??;
    result
}

fn line(build: &Generation) -> String {
    let mut line = format!(
        "{:<14} v{} generation {:<3} {:<9} {:>10} of {:<10}",
        build.name,
        build.version,
        build.generation,
        build.status.as_str(),
        build.position,
        build.head
    );
    if build.lag() > 0 {
        line += &format!(" {:>9.0} events/s", build.events_per_second);
        if let Some(left) = build.seconds_left() {
            line += &format!(", {left} s left");
        }
    }
    if build.dead_letters > 0 {
        line += &format!("  {} dead letters", build.dead_letters);
    }
    if let Some(error) = &build.error {
        line += &format!("  stopped: {error}");
    }
    line
}
