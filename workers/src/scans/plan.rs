use std::path::Path;
use std::time::Duration;

use domain::scans::{Engine, Target};
use engines::{Spec, Work};
use tokio::time::Instant;

use super::Scans;
use super::request::Request;
use crate::advisories::Advisories;
use crate::runtime::{JobContext, JobError};
use crate::sandbox::{Command, Limits};

/// Kept free before the deadline of the scan, to record what was found.
const RESERVE: Duration = Duration::from_secs(30);
/// An engine ends by itself when its time is over; after this long it is ended.
const GRACE: Duration = Duration::from_secs(10);
/// Many times what the largest allowed number of findings needs.
const OUTPUT_BYTES: u64 = 2 << 30;
const PIDS: u32 = 128;

impl Scans {
    /// The process of one engine and what it is told.
    pub(super) fn plan(
        &self,
        job: &JobContext,
        request: &Request,
        engine: Engine,
        root: Option<&Path>,
        engines_left: usize,
    ) -> Result<(Command, Spec), JobError> {
        let program = &self.options.engine_program;
        if !program.is_file() {
            return Err(JobError::retry(format!("there is no engine program at {program:?}")));
        }
        let mut command = self.checkouts.sandbox.command(program);
        command.bind_ro(program, program);
        command.arg("engine").stdin(true).cancel_with(&job.cancel);
        let work = self.work(&mut command, request, engine, root)?;
        let time = share(job.deadline, engines_left, self.options.limits.time_s);
        command.limits(Limits {
            memory_bytes: self.options.memory_bytes,
            pids: PIDS,
            time: time + GRACE,
            output_bytes: OUTPUT_BYTES,
            ..Limits::default()
        });
        let time_s = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let limits = engines::Limits { time_s, ..self.options.limits.clone() };
        Ok((command, Spec { work, profile: request.profile, limits }))
    }

    fn work(
        &self,
        command: &mut Command,
        request: &Request,
        engine: Engine,
        root: Option<&Path>,
    ) -> Result<Work, JobError> {
        let root = root.map(|root| command.bind_ro(root, "/target"));
        match (engine, root, &request.target) {
            (Engine::Secrets, Some(root), _) => Ok(Work::Secrets { root }),
            (Engine::Dependencies, Some(root), _) => {
                let advisories = self.options.advisories.as_ref().map(Advisories::copy);
                let advisories = advisories.filter(|folder| folder.is_dir());
                let advisories = advisories.map(|folder| command.bind_ro(folder, "/advisories"));
                Ok(Work::Dependencies { root, advisories })
            }
            (Engine::Website, None, Target::Website { url }) => {
                command.network(true);
                Ok(Work::Website { url: url.clone(), network: self.options.network.clone() })
            }
            (engine, _, target) => {
                let kind = target.kind();
                Err(JobError::fail(format!("the engine {engine} cannot look at a {kind}")))
            }
        }
    }
}

/// The time of the next engine: each of those left gets as much, and none more than its limit.
fn share(deadline: Instant, engines_left: usize, limit_s: u32) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now()).saturating_sub(RESERVE);
    let engines = u32::try_from(engines_left.max(1)).unwrap_or(u32::MAX);
    (left / engines).min(Duration::from_secs(u64::from(limit_s))).max(Duration::from_secs(1))
}
