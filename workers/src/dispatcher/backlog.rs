use std::time::Duration;

use domain::jobs::{JobKind, Priority};
use projections::jobs::{JobStatus, system};

use super::{Dispatcher, Error};
use crate::queue;

/// Counting reads an index over the whole queue, so it is done now and then.
pub(super) const EVERY: Duration = Duration::from_secs(10);

impl Dispatcher {
    /// Sets the metric of how many jobs wait.
    pub(super) async fn report_backlog(&self) {
        if let Err(error) = self.count_backlog().await {
            tracing::warn!(error = %crate::chain(&error), "the backlog could not be counted");
        }
    }

    async fn count_backlog(&self) -> Result<(), Error> {
        let depths = system::depth(&queue::open(&self.backbone.views).await?).await?;
        for kind in JobKind::ALL {
            for priority in [Priority::High, Priority::Medium, Priority::Low] {
                let waiting = depths.iter().filter(|depth| {
                    depth.status == JobStatus::Queued
                        && (depth.kind, depth.priority) == (kind, priority)
                });
                let jobs: u64 = waiting.map(|depth| depth.jobs).sum();
                metrics::gauge!("dispatcher_backlog",
                    "kind" => kind.as_str(), "priority" => priority.as_str())
                .set(jobs as f64);
            }
        }
        Ok(())
    }
}
