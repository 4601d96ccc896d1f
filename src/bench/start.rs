//! `up` on a data directory that holds a history, until it is ready.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use projections::Status;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::{
    figures::{Board, Figure, Sample},
    history,
    load::Plan,
    projection, relay,
    site::Site,
    wire::{self, Wire},
    world::{World, until},
};
use crate::{
    config::Config,
    installation::{Servers, own_program},
};

const PATIENCE: Duration = Duration::from_secs(120);
/// After so long an idle process has come to rest.
const REST: Duration = Duration::from_secs(5);

pub async fn run(site: &Site, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let mut config = site.config.clone();
    config.data_dir = site.config.data_dir.join("start");
    config.database.url = None;
    config.nats.url = None;
    fs::create_dir_all(&config.data_dir)?;
    let measured = measure(&config, site, plan).await;
    // The folder goes with the site's, but for what root's servers keep elsewhere.
    if let Ok(elsewhere) = fs::read_link(config.data_dir.join("servers")) {
        fs::remove_dir_all(elsewhere)?;
    }
    measured
}

async fn measure(config: &Config, site: &Site, plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    fill(config, site, plan.start_events).await?;
    let file = config.data_dir.join("bench.toml");
    fs::write(&file, config.effective_toml_masked()?)?;
    let mut board = Board::default();
    let mut resident = 0;
    for counts in plan.rounds() {
        let raw = servers_alone(config).await?;
        let (took, kilobytes) = up(&file).await?;
        resident = kilobytes;
        if counts {
            board.note("start", Sample::whole(1, took));
            board.note("raw", Sample::whole(1, raw));
        }
    }
    eprintln!("an idle `up` has {} MB resident", resident / 1024);
    Ok(board.figures())
}

/// A history that everything has followed to its end.
async fn fill(config: &Config, site: &Site, events: u64) -> anyhow::Result<()> {
    let servers = Servers::start(config).await?;
    let (database, nats) = (servers.endpoints.database.clone(), servers.endpoints.nats.clone());
    let filled = async {
        let world = World::open(config.clone(), &site.metrics, database, nats).await?;
        history::grow(&world, events).await?;
        relay::catch_up(&world).await?;
        projection::catch_up(&world, Status::Live).await?;
        world.stop().await;
        Ok(())
    };
    let filled = filled.await;
    servers.stop().await;
    filled
}

/// What the servers take by themselves.
async fn servers_alone(config: &Config) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let servers = Servers::start(config).await?;
    let took = started.elapsed();
    servers.stop().await;
    Ok(took)
}

/// Time until `up` is ready, and what it then has resident, in kilobytes.
async fn up(config: &Path) -> anyhow::Result<(Duration, u64)> {
    let started = Instant::now();
    let mut command = Command::new(own_program()?);
    command.arg("--config").arg(config).arg("up").stdin(Stdio::null()).stdout(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        let ours = name.to_string_lossy();
        if ours.starts_with("MILLRACE_") || ours == "DATABASE_URL" || ours == "NATS_URL" {
            command.env_remove(name);
        }
    }
    let mut child = command.kill_on_drop(true).spawn()?;
    let address = timeout(PATIENCE, address(&mut child)).await.context("`up` does not start")??;
    let ready = wire::request("GET", "/health/ready", "", "");
    until(async || Ok(Wire::connect(address).await?.ask(&ready).await.is_ok())).await?;
    let took = started.elapsed();
    sleep(REST).await;
    let pid =
        child.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("`up` has ended")?;
    let resident = resident(pid)?;
    kill_process(pid, Signal::TERM)?;
    let ended = timeout(PATIENCE, child.wait()).await.context("`up` does not end")??;
    ensure!(ended.success(), "`up` ended with {ended}");
    Ok((took, resident))
}

async fn address(child: &mut Child) -> anyhow::Result<SocketAddr> {
    let output = child.stdout.take().context("`up` has no output")?;
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        let address = line.strip_prefix("API ").map(str::trim);
        if let Some(address) = address.and_then(|url| url.strip_prefix("http://")) {
            return Ok(address.trim_end_matches("/v1").parse()?);
        }
    }
    anyhow::bail!("`up` ended before it served")
}

fn resident(pid: Pid) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.context("the memory of `up` is not known")?;
    Ok(words.trim().trim_end_matches(" kB").parse()?)
}
