//! Runs scans.
//!
//! Trigger: an attempt of a scan that was released. Effect: findings recorded in the scan's own
//! aggregate, nothing else. Every report carries the fence of the attempt, and a new attempt starts
//! from nothing, so running twice records once. Each engine is a process of its own in the sandbox;
//! one that fails is recorded as failed and the others go on. A target that cannot be had fails the
//! scan at once, unless a later attempt may have it.

mod bound;
mod engine;
mod findings;
#[cfg(test)]
mod fuzz;
mod plan;
mod request;
mod warnings;

use std::path::PathBuf;

use async_trait::async_trait;
use domain::scans::{Profile, RepositorySource, Scan, ScanCommand, Target};
use engines::NetworkPolicy;

use crate::advisories::Advisories;
use crate::checkout::{Checkout, Checkouts, History};
use crate::runtime::{Handler, JobContext, JobError};

/// What scans may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// Called with the one argument `engine`; takes a specification on standard input.
    pub engine_program: PathBuf,
    /// Packages are compared with these, if there are any.
    pub advisories: Option<Advisories>,
    pub network: NetworkPolicy,
    /// Of one engine. Its time is cut further so that every engine gets its share of the deadline.
    pub limits: engines::Limits,
    pub memory_bytes: u64,
}

impl Options {
    pub fn new(engine_program: PathBuf) -> Self {
        Self {
            engine_program,
            advisories: None,
            network: NetworkPolicy::default(),
            limits: engines::Limits {
                time_s: 600,
                max_findings: 100_000,
                max_files: 500_000,
                max_file_bytes: 16 << 20,
                max_total_bytes: 4 << 30,
            },
            memory_bytes: 1 << 30,
        }
    }
}

/// The handler of scans.
#[derive(Debug, Clone)]
pub struct Scans {
    checkouts: Checkouts,
    options: Options,
}

impl Scans {
    pub fn new(checkouts: Checkouts, options: Options) -> Self {
        Self { checkouts, options }
    }

    async fn checkout(
        &self,
        source: &RepositorySource,
        profile: Profile,
        job: &JobContext,
    ) -> Result<Checkout, JobError> {
        let history = match profile {
            Profile::Quick => History::Latest,
            Profile::Full => History::Full,
        };
        let log = |line: &str| job.log.output(line);
        let opened = self.checkouts.open(source, history, &job.cancel, &log).await;
        opened.map_err(|error| match error.retryable() {
            true => JobError::retry(crate::chain(&error)),
            false => JobError::fail(crate::chain(&error)),
        })
    }
}

#[async_trait]
impl Handler for Scans {
    type Aggregate = Scan;

    async fn run(&self, job: &JobContext) -> Result<(), JobError> {
        let request = request::load(job).await?;
        job.log.progress(&format!("scanning {}", request.target.display()));
        let checkout = match &request.target {
            Target::Repository { source } => {
                Some(self.checkout(source, request.profile, job).await?)
            }
            Target::Website { .. } => None,
        };
        let root = checkout.as_ref().map(Checkout::path);
        for (done, engine) in request.engines.iter().enumerate() {
            let left = request.engines.len() - done;
            self.run_engine(job, &request, *engine, root, left).await?;
        }
        job.execute::<Scan>(ScanCommand::Complete { fence: job.fence, now: job.now() }).await?;
        job.log.progress("the scan has ended");
        Ok(())
    }
}
