//! A first look: an empty installation, two real scans through the HTTP API, and what they found.

mod client;
mod show;
mod website;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use engines::advisories;
use journal::{Clock, SystemClock};
use projections::{Slice, organizations};
use serde_json::json;

use crate::{
    cli::{DemoArgs, Role},
    commands::up::{Up, asked_to_stop},
    config::Config,
    first_start,
    installation::Objects,
};
use client::Client;

pub async fn run(mut config: Config, arguments: DemoArgs) -> anyhow::Result<ExitCode> {
    let repository = arguments
        .repository
        .canonicalize()
        .with_context(|| format!("there is no {}", arguments.repository.display()))?;
    config.data_dir = config.data_dir.join("demo");
    config.server.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.scans.allowed_paths = vec![repository.clone()];
    config.scans.allowed_private_ranges = vec!["127.0.0.0/8".parse()?];
    std::fs::create_dir_all(&config.data_dir)?;
    import_sample(&config)?;

    let website = website::serve().await?;
    let asked = asked_to_stop();
    tokio::pin!(asked);
    println!("starting Postgres, NATS and every role in {}", config.data_dir.display());
    let started = Instant::now();
    let mut up = tokio::select! {
        up = Up::start(&config, &Role::ALL) => up?,
        asked = &mut asked => return asked.map(|()| ExitCode::FAILURE),
    };
    println!("ready after {:.1} s\n", started.elapsed().as_secs_f64());
    let address = up.api().context("the front end does not run")?;
    let key = key(&up).await?;
    let outcome = tokio::select! {
        outcome = show(address, &key, &repository, &website, arguments.exit) => outcome,
        error = up.failed() => Err(error),
        asked = &mut asked => asked.map(|()| false),
    };
    let outcome = match outcome {
        Ok(good) if !arguments.exit && good => tokio::select! {
            asked = &mut asked => asked.map(|()| true),
            error = up.failed() => Err(error),
        },
        other => other,
    };
    up.stop().await;
    outcome.map(|good| if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Gives whether the scans found what they should.
async fn show(
    address: SocketAddr,
    key: &str,
    repository: &Path,
    website: &str,
    exit: bool,
) -> anyhow::Result<bool> {
    let client = Client::new(address, key)?;
    let targets = [
        json!({ "kind": "repository", "path": repository }),
        json!({ "kind": "website", "url": website }),
    ];
    let mut good = true;
    let mut scans = Vec::new();
    for target in targets {
        let watched = client.scan_and_watch(&target).await?;
        show::scan(&watched);
        good &= watched.is_good();
        scans.push(watched);
    }
    show::timings(&scans);
    show::links(address, client.key(), &scans, exit);
    Ok(good)
}

/// A key of the demo's organisation.
async fn key(up: &Up) -> anyhow::Result<String> {
    let journal = &up.installation.journal;
    if let Some(first) = up.first_key().await? {
        return Ok(first.secret);
    }
    let head = journal.head().await?;
    let view =
        up.installation.views.open(organizations::NAME, Some(head), projections::MAX_WAIT).await?;
    let page = organizations::list(&view, Slice { limit: 1, cursor: None }).await?;
    let first = page.items.first().context("the installation has no organisation")?;
    Ok(first_start::issue_key(journal, &up.installation.views, first.org, "demo").await?.secret)
}

/// Two real advisories about a package that this repository is built with.
fn import_sample(config: &Config) -> anyhow::Result<()> {
    let source = tempfile::tempdir()?;
    for (name, text) in [
        ("RUSTSEC-2026-0194.json", include_str!("advisories/RUSTSEC-2026-0194.json")),
        ("RUSTSEC-2026-0195.json", include_str!("advisories/RUSTSEC-2026-0195.json")),
    ] {
        std::fs::write(source.path().join(name), text)?;
    }
    let objects = Objects::open(config)?;
    let report = advisories::import(source.path(), &objects.advisories, SystemClock.now())?;
    ensure!(report.unreadable == 0, "the sample advisories could not be read");
    Ok(())
}
