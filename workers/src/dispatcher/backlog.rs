use std::time::Duration;

use domain::jobs::{JobKind, Priority};
use projections::{
    Views,
    jobs::{JobStatus, system},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::queue;

/// Counting reads an index over the whole queue, so it is done now and then.
const PAUSE: Duration = Duration::from_secs(10);
const COUNT_TIMEOUT: Duration = Duration::from_secs(30);

/// Keeps the metric of how many jobs wait, until it is told to stop.
pub(super) async fn report(views: &Views, stop: &CancellationToken) {
    let count_again_and_again = async {
        loop {
            match timeout(COUNT_TIMEOUT, count(views)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(error = %crate::chain(&error), "the backlog could not be counted");
                }
                Err(_) => tracing::warn!("the backlog could not be counted in time"),
            }
            sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(count_again_and_again).await;
}

async fn count(views: &Views) -> Result<(), queue::Error> {
    let depths = system::depth(&queue::open(views).await?).await?;
    for kind in JobKind::ALL {
        for priority in Priority::ALL {
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
