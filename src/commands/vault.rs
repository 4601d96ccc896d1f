use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use journal::{Journal, MASTER_KEYS_FRESH};

use crate::{
    cli::VaultCommand,
    config::Config,
    installation::{Operator, key_source},
};

/// Keys wrapped anew before it is said how far it is.
const BATCH: u32 = 1000;

pub async fn run(config: &Config, command: VaultCommand) -> anyhow::Result<ExitCode> {
    Operator::with(config, async |operator| {
        let journal = operator.journal();
        match command {
            VaultCommand::Status => status(journal).await?,
            VaultCommand::Rotate => rotate(config, journal).await?,
            VaultCommand::Rewrap => println!("{} keys were wrapped anew", rewrap(journal).await?),
            VaultCommand::Forget => forget(config, journal).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
    .await
}

async fn status(journal: &Journal) -> anyhow::Result<()> {
    let (ring, counts) = journal.master_keys().await?;
    for id in ring.ids() {
        let role = if id == ring.current() { "current" } else { "former" };
        println!("{id}  {role:<7}  wraps {} keys", counts.get(&id).unwrap_or(&0));
    }
    for (id, keys) in counts.iter().filter(|(id, _)| !ring.ids().any(|known| known == **id)) {
        println!("{id}  missing  wraps {keys} keys");
    }
    Ok(())
}

async fn rotate(config: &Config, journal: &Journal) -> anyhow::Result<()> {
    let ring = key_source(config).add_key(&mut rand::rng())?;
    let current = ring.current();
    journal.use_master_keys(ring)?;
    let mut done = rewrap(journal).await?;
    // Processes that have not looked yet may have wrapped some more under the former key.
    tokio::time::sleep(2 * MASTER_KEYS_FRESH).await;
    done += rewrap(journal).await?;
    println!("{current} is the master key; {done} keys are wrapped under it");
    println!(
        "the former ones are kept for copies of the database: `millrace vault forget` leaves them out"
    );
    Ok(())
}

async fn rewrap(journal: &Journal) -> anyhow::Result<u64> {
    let mut done = 0;
    loop {
        match journal.rewrap_keys(BATCH).await? {
            0 => return Ok(done),
            keys => done += keys,
        }
        eprintln!("{done} keys");
    }
}

async fn forget(config: &Config, journal: &Journal) -> anyhow::Result<()> {
    let source = key_source(config);
    let (ring, counts) = journal.master_keys().await?;
    let left: u64 =
        counts.iter().filter(|(id, _)| **id != ring.current()).map(|(_, keys)| keys).sum();
    ensure!(left == 0, "former master keys still wrap {left} keys: `millrace vault rewrap` first");
    let ring = source.forget_former().context("the former master keys are still in the file")?;
    println!("{} is the only master key", ring.current());
    Ok(())
}
