//! A worker that sleeps over its lease, and goes on while another one holds its job.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, sleep, timeout};

use crate::{record::Record, world::World};

/// Other faults may come in between, and what runs may be the other worker's.
const PATIENCE: Duration = Duration::from_secs(30);
/// For a worker to get a job.
const WORK: Duration = Duration::from_secs(5);
/// For its lease to run out and the job to be started elsewhere.
const TAKEOVER: Duration = Duration::from_secs(8);
/// For the first of the two to do what it had in mind.
const AWAKE: Duration = Duration::from_millis(1500);
const LOOK: Duration = Duration::from_millis(15);
const PAUSE: Duration = Duration::from_millis(100);

/// Stops the worker in the middle of a job until the other one has begun it again, and then stops
/// that one for as long as it takes the first to find out.
pub async fn steal(world: &World, worker: usize, record: &Record) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if try_to_steal(world, worker).await {
            return record.count("jobs taken over from a sleeping worker");
        }
    }
}

/// Whether there was a job, and it was taken over.
async fn try_to_steal(world: &World, worker: usize) -> bool {
    let Ok((sleeper, held)) = timeout(WORK, freeze_at_work(world, worker)).await else {
        // The wait may have been ended while the worker was stopped.
        if let Some(pid) = world.fleet.pid(worker) {
            world.fleet.go_on(worker, pid);
        }
        return false;
    };
    let taken_over =
        timeout(TAKEOVER, is_taken_over(&world.pool, &held)).await.is_ok_and(|taken| taken);
    if taken_over {
        let other = world.fleet.freeze(worker ^ 1);
        world.fleet.go_on(worker, sleeper);
        sleep(AWAKE).await;
        if let Some(other) = other {
            world.fleet.go_on(worker ^ 1, other);
        }
    }
    world.fleet.go_on(worker, sleeper);
    taken_over
}

/// Returns when the worker is stopped while engines run.
async fn freeze_at_work(world: &World, worker: usize) -> (u32, Held) {
    loop {
        if let Some(pid) = world.fleet.freeze(worker) {
            match held(&world.pool).await {
                Ok(held) if !held.jobs.is_empty() => return (pid, held),
                _ => world.fleet.go_on(worker, pid),
            }
        }
        sleep(PAUSE).await;
    }
}

/// Whether one of the jobs was started after that position and its work has begun again; known at
/// the latest when all of them have ended.
async fn is_taken_over(pool: &PgPool, held: &Held) -> bool {
    loop {
        let looked: Result<(bool, bool), _> = sqlx::query_as(
            "SELECT EXISTS (
                 SELECT FROM events a JOIN events e USING (aggregate_type, aggregate_id)
                 WHERE a.aggregate_type = 'scan' AND a.aggregate_id = ANY ($1)
                   AND a.event_type = 'scan.attempt_started' AND a.position > $2
                   AND e.event_type = 'scan.engine_started' AND e.position > a.position),
             (SELECT count(DISTINCT aggregate_id) = cardinality($1) FROM events
              WHERE aggregate_type = 'scan' AND aggregate_id = ANY ($1)
                AND event_type IN ('scan.completed', 'scan.failed', 'scan.cancelled'))",
        )
        .bind(&held.jobs)
        .bind(held.at)
        .fetch_one(pool)
        .await;
        match looked {
            Ok((true, _)) => return true,
            Ok((false, true)) => return false,
            Ok((false, false)) | Err(_) => sleep(LOOK).await,
        }
    }
}

/// Jobs of which an engine runs, and the position as of which it does.
struct Held {
    jobs: Vec<String>,
    at: i64,
}

async fn held(pool: &PgPool) -> Result<Held, sqlx::Error> {
    let at = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await?;
    let jobs = sqlx::query_scalar(
        "SELECT job_id FROM job_leases l WHERE expires_at > clock_timestamp() AND (
             SELECT event_type = 'scan.engine_started' FROM events
             WHERE aggregate_type = 'scan' AND aggregate_id = l.job_id
             ORDER BY sequence DESC LIMIT 1)",
    );
    Ok(Held { jobs: jobs.fetch_all(pool).await?, at })
}
