//! Waiting until nothing is left to be done.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use sqlx::PgPool;

use crate::{
    checker::log::{Entry, read_log},
    record::Record,
    subscribers::Subscribers,
    world::World,
};

/// Enough for every release, lease and pull to run out of time one after the other.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(500);

/// Returns when all is done. What is still open after a long time is told in a panic.
pub async fn wait(world: &World, record: &Record, subscribers: &Subscribers) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let open = match open(world, subscribers).await {
            Ok(open) if open.is_empty() => return,
            Ok(open) => open,
            Err(error) => vec![format!("it could not be looked at: {error}")],
        };
        let late = Instant::now() >= deadline;
        assert!(
            !late,
            "after {PATIENCE:?} there is still open: {open:#?}\n{:#?}",
            record.all_broken()
        );
        tokio::time::sleep(LOOK).await;
    }
}

async fn open(world: &World, subscribers: &Subscribers) -> Result<Vec<String>, async_nats::Error> {
    let mut open = world.unready().await;
    let log = read_log(&world.pool).await?;
    let head = log.last().map_or(0, |entry| entry.position);
    open.extend(unended(&log).into_iter().map(|scan| format!("{scan} has not ended")));
    open.extend(in_tables(&world.pool, head).await?);
    let client = async_nats::connect(&world.nats_url).await?;
    let jetstream = async_nats::jetstream::new(client);
    let jobs = jetstream.get_stream("JOBS").await?.cached_info().state.messages;
    if jobs > 0 {
        open.push(format!("JOBS holds {jobs} messages"));
    }
    let events = jetstream.get_stream("EVENTS").await?.cached_info().state.clone();
    if events.last_sequence != head as u64 {
        open.push(format!("EVENTS ends at {}, the log at {head}", events.last_sequence));
    }
    for seen in subscribers.seen() {
        let wanted = log.iter().rev().find(|entry| entry.is_of(seen.filter, &world.organization));
        let wanted = wanted.map_or(0, |entry| entry.position as u64);
        let newest = seen.arrivals.iter().map(|arrival| arrival.position).max().unwrap_or(0);
        if newest < wanted {
            open.push(format!("the {} is at {newest} and waits for {wanted}", seen.name));
        }
    }
    Ok(open)
}

/// Scans whose last word has not been said.
fn unended(log: &[Entry]) -> BTreeSet<&str> {
    let mut open = BTreeSet::new();
    for entry in log {
        match entry.event_type.as_str() {
            "scan.requested" => {
                open.insert(entry.aggregate_id.as_str());
            }
            "scan.completed" | "scan.failed" | "scan.cancelled" => {
                open.remove(entry.aggregate_id.as_str());
            }
            _ => {}
        }
    }
    open
}

async fn in_tables(pool: &PgPool, head: i64) -> Result<Vec<String>, sqlx::Error> {
    let mut open = Vec::new();
    let behind: Vec<(String, i64)> =
        sqlx::query_as("SELECT name, position FROM projections WHERE position <> $1")
            .bind(head)
            .fetch_all(pool)
            .await?;
    open.extend(behind.iter().map(|(name, at)| format!("{name} stands at {at} of {head}")));
    for (what, query) in [
        ("releases", "SELECT count(*) FROM job_releases"),
        ("leases", "SELECT count(*) FROM job_leases WHERE expires_at > clock_timestamp()"),
    ] {
        let count: i64 = sqlx::query_scalar(query).fetch_one(pool).await?;
        if count > 0 {
            open.push(format!("{count} {what} are left"));
        }
    }
    Ok(open)
}
