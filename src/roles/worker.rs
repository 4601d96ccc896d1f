use std::{pin::Pin, time::Duration};

use async_trait::async_trait;
use domain::scans::Scan;
use engines::{Limits, NetworkPolicy};
use journal::{LogStream, doorbell, jobs::JobStream};
use outbound::AddressPolicy;
use tokio_util::sync::CancellationToken;
use workers::{
    Backbone,
    checkout::{self, Checkouts},
    dispatcher,
    runtime::{self, Handler, JobContext, JobError},
    sandbox::{Mode, Sandbox, Unavailable},
    scans::{self, Scans},
    sweeper,
};

use super::Tasks;
use crate::{
    config::{self, Config},
    installation::{Installation, own_program},
    telemetry,
};

async fn backbone(installation: &Installation) -> anyhow::Result<Backbone> {
    Ok(Backbone {
        journal: installation.journal.clone(),
        bus: installation.bus.clone(),
        jobs: JobStream::open(&installation.bus).await?,
        views: installation.views.clone(),
        logs: LogStream::open(&installation.bus).await?,
        archive: installation.objects.log_archive(),
    })
}

/// The doorbell belongs to whoever waits for the log to move, which every process does.
pub fn doorbell(installation: &Installation, stop: &CancellationToken) -> Tasks {
    let (journal, bus) = (installation.journal.clone(), installation.bus.clone());
    let stop = stop.clone();
    vec![tokio::spawn(async move {
        doorbell::run(journal, bus, stop).await;
        Ok(())
    })]
}

pub async fn dispatcher(
    installation: &Installation,
    config: &Config,
    stop: &CancellationToken,
) -> anyhow::Result<Tasks> {
    let backbone = backbone(installation).await?;
    let release = dispatcher::Options {
        per_organization: config.jobs.per_org_limit,
        ahead_percent: config.jobs.release_ahead_percent,
        ..dispatcher::Options::default()
    };
    let sweep = sweeper::Options {
        interval: Duration::from_secs(config.jobs.sweep_s.into()),
        ..sweeper::Options::default()
    };
    let (other, ending) = (backbone.clone(), stop.clone());
    let dispatching = async move {
        dispatcher::run(other, release, ending).await;
        Ok(())
    };
    let ending = stop.clone();
    let sweeping = async move {
        sweeper::run(backbone, sweep, ending).await;
        Ok(())
    };
    let forgetting = super::housekeeping::run(installation.journal.clone(), stop.clone());
    Ok(vec![tokio::spawn(dispatching), tokio::spawn(sweeping), tokio::spawn(forgetting)])
}

pub async fn start(
    installation: &Installation,
    config: &Config,
    stop: &CancellationToken,
) -> anyhow::Result<Tasks> {
    let backbone = backbone(installation).await?;
    let name = format!("{}-{}", host(), installation.journal.clock().new_id().simple());
    let options = runtime::Options {
        concurrency: config.workers.scan_concurrency as usize,
        lease: Duration::from_secs(config.jobs.lease_s.into()),
        drain_grace: Duration::from_secs(config.jobs.drain_timeout_s.into()),
        trace_link: Some(telemetry::link),
        ..runtime::Options::new(name)
    };
    let stop = stop.clone();
    let mode = match config.workers.sandbox {
        config::Sandbox::Required => Mode::Required,
        config::Sandbox::Preferred => Mode::Preferred,
        config::Sandbox::Off => Mode::Off,
    };
    let logs = backbone.logs.clone();
    let work: Pin<Box<dyn Future<Output = _> + Send>> = match Sandbox::detect(mode).await {
        Ok(sandbox) => {
            tracing::info!(sandbox = sandbox.describe(), "jobs run in it");
            sandbox.sweep_leftovers();
            let scans = scans(installation, config, sandbox)?;
            Box::pin(runtime::run(backbone, scans, options, stop))
        }
        Err(unavailable) => {
            tracing::error!(%unavailable, "jobs are refused; workers.sandbox can allow them");
            Box::pin(runtime::run(backbone, Refusing(unavailable), options, stop))
        }
    };
    let task = tokio::spawn(async move {
        let ended = work.await;
        // The last lines of the last jobs are on their way.
        logs.flush().await;
        Ok(ended?)
    });
    Ok(vec![task])
}

fn scans(installation: &Installation, config: &Config, sandbox: Sandbox) -> anyhow::Result<Scans> {
    let network = NetworkPolicy {
        allowed_ranges: config
            .scans
            .allowed_private_ranges
            .iter()
            .map(ToString::to_string)
            .collect(),
    };
    let memory_bytes = u64::from(config.workers.memory_mb) << 20;
    let checkouts = Checkouts {
        sandbox,
        scratch: config.data_dir.join("scratch"),
        folders: config.scans.allowed_paths.clone(),
        addresses: AddressPolicy::new(&network.allowed_ranges)?,
        limits: checkout::Limits {
            bytes: config.scans.max_repository_bytes,
            memory_bytes,
            ..checkout::Limits::default()
        },
    };
    let left = checkouts.sweep_leftovers()?;
    if left > 0 {
        tracing::info!(left, "removed the working files of a worker that had crashed");
    }
    let limits = Limits {
        time_s: config.scans.engine_time_s,
        max_findings: config.scans.max_findings,
        max_files: config.scans.max_files,
        max_file_bytes: config.scans.max_file_bytes,
        max_total_bytes: config.scans.max_total_bytes,
    };
    let options = scans::Options {
        advisories: Some(installation.objects.advisories()),
        network,
        limits,
        memory_bytes,
        ..scans::Options::new(own_program()?)
    };
    Ok(Scans::new(checkouts, options))
}

/// Ends every attempt at once with the reason why none can be run here. Another worker may do better.
struct Refusing(Unavailable);

#[async_trait]
impl Handler for Refusing {
    type Aggregate = Scan;

    async fn run(&self, _job: &JobContext) -> Result<(), JobError> {
        Err(JobError::retry(&self.0))
    }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "worker".to_owned(), |name| name.trim().to_owned())
}
