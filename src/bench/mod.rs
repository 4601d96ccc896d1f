//! What an installation can do, each figure beside the raw limit of the same servers in the same run.
//!
//! Everything is measured in a database and streams of its own, on the configured servers or on
//! private ones below the data directory, which are gone afterwards. The load is made of the real
//! aggregates by their own rules. Nothing is measured on a Postgres that may lose a commit.

mod access;
mod append;
mod figures;
mod growth;
mod history;
mod http;
mod latency;
mod load;
mod projection;
mod rebuild;
mod refresh;
mod relay;
mod site;
mod start;
mod stock;
mod wire;
mod world;

use std::process::ExitCode;

use crate::{
    cli::{BenchArgs, Benchmark},
    config::Config,
    lifecycle::asked_to_stop,
};
use figures::Figure;
use load::Plan;
use site::Site;

/// Commands under way at the same time, wherever a figure does not say otherwise.
const IN_FLIGHT: usize = 64;

pub async fn run(config: Config, arguments: BenchArgs) -> anyhow::Result<ExitCode> {
    let site = Site::open(config).await?;
    let measured = tokio::select! {
        measured = measure_all(&site, &arguments) => measured,
        () = asked_to_stop()? => Err(anyhow::anyhow!("stopped before the end")),
    };
    site.close().await;
    let figures = measured?;
    if arguments.json {
        println!("{}", figures::json(&figures)?);
    } else {
        print!("{}", figures::table(&figures));
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure_all(site: &Site, arguments: &BenchArgs) -> anyhow::Result<Vec<Figure>> {
    let plan = Plan::new(arguments);
    if let Some(benchmark) = arguments.benchmark {
        return measure(site, benchmark, &plan, arguments).await;
    }
    let mut all = Vec::new();
    for benchmark in Benchmark::ALL {
        let figures = measure(site, benchmark, &plan, arguments).await?;
        all.extend(figures.into_iter().map(|figure| figure.below(benchmark.name())));
    }
    Ok(all)
}

async fn measure(
    site: &Site,
    benchmark: Benchmark,
    plan: &Plan,
    arguments: &BenchArgs,
) -> anyhow::Result<Vec<Figure>> {
    eprintln!("measuring {}", benchmark.name());
    match benchmark {
        Benchmark::Append => append::run(site, plan).await,
        Benchmark::Http => http::run(site, plan).await,
        Benchmark::Refresh => refresh::run(site, plan).await,
        Benchmark::Relay => relay::run(site, plan).await,
        Benchmark::Projection => projection::run(site, plan).await,
        Benchmark::Rebuild => rebuild::run(site, plan).await,
        Benchmark::Latency => latency::run(site, plan).await,
        Benchmark::Access => access::run(plan).await,
        Benchmark::Start => start::run(site, plan).await,
        Benchmark::Growth => growth::run(site, plan, arguments.large).await,
    }
}
