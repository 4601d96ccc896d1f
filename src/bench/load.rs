//! Load: the same operation again and again, by many at once.

use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::figures::Sample;
use crate::cli::BenchArgs;

/// How long and how often is measured.
pub struct Plan {
    pub rounds: usize,
    pub round: Duration,
    /// Events of a history that is worked through as a whole.
    pub events: u64,
    /// Events in the data directory that is started on.
    pub start_events: u64,
}

impl Plan {
    pub fn new(arguments: &BenchArgs) -> Self {
        Self {
            rounds: arguments.rounds.max(1),
            round: Duration::from_secs_f64(arguments.seconds.clamp(0.05, 600.0)),
            events: arguments.events.max(1000),
            start_events: arguments.start_events.max(1000),
        }
    }

    /// For each round whether it counts: the first one warms up.
    pub fn rounds(&self) -> impl Iterator<Item = bool> {
        (0..=self.rounds).map(|round| round > 0)
    }
}

/// Every worker repeats its operation, one at a time, until the time is over.
pub async fn closed<W, F>(workers: Vec<W>, time: Duration) -> anyhow::Result<Sample>
where
    W: FnMut() -> F + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    all(workers, time, None).await
}

/// The workers together begin `per_s` operations a second. An operation that has to wait for the one
/// before it is timed from when it should have begun.
pub async fn paced<W, F>(workers: Vec<W>, time: Duration, per_s: f64) -> anyhow::Result<Sample>
where
    W: FnMut() -> F + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let gap = Duration::from_secs_f64(workers.len() as f64 / per_s.max(1.0));
    all(workers, time, Some(gap)).await
}

async fn all<W, F>(workers: Vec<W>, time: Duration, gap: Option<Duration>) -> anyhow::Result<Sample>
where
    W: FnMut() -> F + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let started = Instant::now();
    let (end, count) = (started + time, workers.len() as u32);
    let work = workers.into_iter().zip(0..).map(|(worker, number)| {
        let pace = gap.map(|gap| (started + gap * number / count, gap));
        let task = AbortOnDropHandle::new(tokio::spawn(repeat(worker, end, pace)));
        async move { task.await? }
    });
    let times: Vec<Duration> = try_join_all(work).await?.into_iter().flatten().collect();
    Ok(Sample { count: times.len() as u64, times, elapsed: started.elapsed() })
}

/// `pace` is when the first operation is due, and the time between two.
async fn repeat<W, F>(
    mut worker: W,
    end: Instant,
    mut pace: Option<(Instant, Duration)>,
) -> anyhow::Result<Vec<Duration>>
where
    W: FnMut() -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    let mut times = Vec::new();
    loop {
        let mut begun = Instant::now();
        if let Some((due, gap)) = &mut pace {
            if begun < *due {
                sleep_until((*due).min(end)).await;
                begun = Instant::now();
            } else {
                begun = *due;
            }
            *due += *gap;
        }
        if begun >= end || Instant::now() >= end {
            return Ok(times);
        }
        worker().await?;
        times.push(begun.elapsed());
    }
}
