//! A worker that sleeps over its lease, and goes on while another one holds its job.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{sleep, timeout};

use crate::{record::Record, world::World};

/// Other faults may come in between.
const TRIES: usize = 3;
/// For a worker to get a job.
const WORK: Duration = Duration::from_secs(5);
/// For its lease to run out and the job to be started elsewhere.
const TAKEOVER: Duration = Duration::from_secs(10);
/// For the first of the two to do what it had in mind.
const AWAKE: Duration = Duration::from_millis(1500);
const LOOK: Duration = Duration::from_millis(15);

/// Stops the worker in the middle of a job until the other one has begun it again, and then stops
/// that one for as long as it takes the first to find out.
pub async fn steal(world: &World, worker: usize, record: &Record) {
    for _ in 0..TRIES {
        if try_to_steal(world, worker).await {
            return record.count("jobs taken over from a sleeping worker");
        }
    }
}

/// Whether there was a job, and it was taken over.
async fn try_to_steal(world: &World, worker: usize) -> bool {
    if timeout(WORK, until_at_work(world, worker)).await.is_err() {
        return false;
    }
    let Some(sleeper) = world.fleet.freeze(worker) else { return false };
    let taken_over = match held(&world.pool).await {
        Ok(held) => timeout(TAKEOVER, until_taken_over(&world.pool, &held)).await.is_ok(),
        // Postgres is away.
        Err(_) => false,
    };
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

/// Returns when an engine runs in the sandbox of the worker.
async fn until_at_work(world: &World, worker: usize) {
    while !world.fleet.pid(worker).is_some_and(has_children) {
        sleep(LOOK).await;
    }
}

fn has_children(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let children = threads.map_while(Result::ok).map(|thread| thread.path().join("children"));
    children.into_iter().any(|file| std::fs::read(file).is_ok_and(|pids| !pids.is_empty()))
}

/// Returns when one of the jobs was started after that position and its work has begun again.
async fn until_taken_over(pool: &PgPool, held: &Held) {
    loop {
        let taken: Result<bool, _> = sqlx::query_scalar(
            "SELECT EXISTS (
                 SELECT FROM events a JOIN events e USING (aggregate_type, aggregate_id)
                 WHERE a.aggregate_type = 'scan' AND a.aggregate_id = ANY ($1)
                   AND a.event_type = 'scan.attempt_started' AND a.position > $2
                   AND e.event_type = 'scan.engine_started' AND e.position > a.position)",
        )
        .bind(&held.jobs)
        .bind(held.at)
        .fetch_one(pool)
        .await;
        if taken.is_ok_and(|taken| taken) {
            return;
        }
        sleep(LOOK).await;
    }
}

/// Jobs that are worked on, and the position as of which they are.
struct Held {
    jobs: Vec<String>,
    at: i64,
}

async fn held(pool: &PgPool) -> Result<Held, sqlx::Error> {
    let at = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(pool).await?;
    let jobs = sqlx::query_scalar(
        "SELECT job_id FROM job_leases l WHERE expires_at > clock_timestamp() AND EXISTS (
             SELECT FROM events
             WHERE aggregate_type = 'scan' AND aggregate_id = l.job_id
               AND event_type = 'scan.engine_started' AND metadata ->> 'fence' = l.fence::text)",
    );
    Ok(Held { jobs: jobs.fetch_all(pool).await?, at })
}
