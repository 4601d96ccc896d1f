//! A first look: a new user and their organisation, two real scans through the HTTP API, and what they
//! found.

mod account;
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
use serde_json::json;

use crate::{
    cli::{DemoArgs, Role},
    config::{self, Config, Nats},
    lifecycle,
    objects::Objects,
    roles,
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
    // It never touches an installation that somebody works with.
    (config.database.url, config.nats) = (None, Nats::default());
    // Its mails are read by itself.
    config.mail = config::Mail::default();
    config.objects = config::Objects::default();
    std::fs::create_dir_all(&config.data_dir)?;
    import_sample(&config).await?;

    let website = website::serve().await?;
    println!("starting Postgres, NATS and every role in {}", config.data_dir.display());
    let began = Instant::now();
    let good = lifecycle::run(&config, &Role::ALL, async |started| {
        println!("ready after {:.1} s\n", began.elapsed().as_secs_f64());
        let address = started.api.context("the front end does not run")?;
        let account = account::sign_up(address, &roles::outbox::folder(&config)).await?;
        show::account(&account);
        let good = show(address, &account.key, &repository, &website, arguments.exit).await?;
        if good && !arguments.exit {
            std::future::pending::<()>().await;
        }
        Ok(good)
    })
    .await?;
    // Ctrl-C is how the demo ends when it is left running.
    Ok(if good.unwrap_or(!arguments.exit) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

/// Two real advisories about a package that this repository is built with.
async fn import_sample(config: &Config) -> anyhow::Result<()> {
    let source = tempfile::tempdir()?;
    for (name, text) in [
        ("RUSTSEC-2026-0194.json", include_str!("advisories/RUSTSEC-2026-0194.json")),
        ("RUSTSEC-2026-0195.json", include_str!("advisories/RUSTSEC-2026-0195.json")),
    ] {
        std::fs::write(source.path().join(name), text)?;
    }
    let objects = Objects::open(config)?;
    let report = objects.import_advisories(source.path()).await?;
    ensure!(report.unreadable == 0, "the sample advisories could not be read");
    Ok(())
}
