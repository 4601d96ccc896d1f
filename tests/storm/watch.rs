//! What must be so at every moment, looked at while the storm goes on.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream;
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::{record::Record, world::World};

const PAUSE: Duration = Duration::from_millis(300);
/// A stream that has gone wrong may be lost soon after, and with it all that could be seen.
const SHORT_PAUSE: Duration = Duration::from_millis(50);
/// A server that was stopped does not answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Events that were seen before and are looked at again.
const AGAIN: usize = 100;

/// Looks until it is ended.
pub struct Watch([JoinHandle<()>; 2]);

/// The log as it was seen, by position.
#[derive(Default)]
struct Seen {
    events: Vec<(Uuid, DateTime<Utc>)>,
    views: Vec<(String, i32, i64)>,
}

impl Watch {
    pub fn start(world: &Arc<World>, record: &Arc<Record>) -> Self {
        let log = watch_log(Arc::clone(world), Arc::clone(record));
        let stream = watch_stream(Arc::clone(world), Arc::clone(record));
        Self([tokio::spawn(log), tokio::spawn(stream)])
    }

    pub async fn end(self) {
        for looking in self.0 {
            looking.abort();
            if let Err(error) = looking.await {
                assert!(error.is_cancelled(), "{error}");
            }
        }
    }
}

// The servers may be away: then there is nothing to be seen.

async fn watch_log(world: Arc<World>, record: Arc<Record>) {
    let mut seen = Seen::default();
    loop {
        if let Ok(Ok(())) = timeout(PATIENCE, seen.log(&world.pool, &record)).await {
            record.count("looks at the log");
        }
        sleep(PAUSE).await;
    }
}

async fn watch_stream(world: Arc<World>, record: Arc<Record>) {
    loop {
        if let Ok(Ok(())) = timeout(PATIENCE, stream(&world, &record)).await {
            record.count("looks at the end of EVENTS");
        }
        sleep(SHORT_PAUSE).await;
    }
}

impl Seen {
    /// What was told to a client is there; what was there before is there still, and nothing came
    /// between; every view stands within the log and goes forward.
    async fn log(&mut self, pool: &PgPool, record: &Record) -> Result<(), sqlx::Error> {
        let told = record.newest();
        let after = self.events.len().saturating_sub(AGAIN);
        let mut snapshot = pool.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *snapshot)
            .await?;
        let rows: Vec<(i64, Uuid, DateTime<Utc>)> = sqlx::query_as(
            "SELECT position, event_id, recorded_at FROM events
             WHERE position > $1 ORDER BY position",
        )
        .bind(after as i64)
        .fetch_all(&mut *snapshot)
        .await?;
        let views: Vec<(String, i32, i64)> = sqlx::query_as(
            "SELECT name, generation, position FROM projections WHERE status = 'live'",
        )
        .fetch_all(&mut *snapshot)
        .await?;
        let head = rows.last().map_or(after, |row| row.0 as usize);
        if (head as u64) < told || head < self.events.len() {
            let known = self.events.len();
            record
                .broken(format!("{told} was told and {known} was seen, and the log is at {head}"));
        }
        for (place, (position, id, at)) in (after..).zip(rows) {
            self.event(place, position, (id, at), record);
        }
        self.views(views, head, record);
        Ok(())
    }

    fn event(
        &mut self,
        place: usize,
        position: i64,
        event: (Uuid, DateTime<Utc>),
        record: &Record,
    ) {
        if position != place as i64 + 1 {
            record.broken(format!("at place {} of the log stands {position}", place + 1));
        }
        if place > 0 && self.events.get(place - 1).is_some_and(|before| before.1 > event.1) {
            record.broken(format!("{position} was recorded before the one before it"));
        }
        match self.events.get(place) {
            None => self.events.push(event),
            Some(before) if *before == event => {}
            Some(before) => {
                record.broken(format!("at {position} was {before:?} and now is {event:?}"));
            }
        }
    }

    fn views(&mut self, views: Vec<(String, i32, i64)>, head: usize, record: &Record) {
        for (name, generation, position) in &views {
            let of_before = |view: &&(String, i32, i64)| view.0 == *name && view.1 == *generation;
            let before = self.views.iter().find(of_before).map_or(0, |view| view.2);
            if *position < before || *position as usize > head {
                let was = format!("it was at {before}, and the log ends at {head}");
                record.broken(format!("the view {name} is at {position}: {was}"));
            }
        }
        self.views = views;
    }
}

/// The last message of the stream is the event of that position.
async fn stream(world: &World, record: &Record) -> Result<(), async_nats::Error> {
    let client = async_nats::connect(&world.nats_url).await?;
    let stream = jetstream::new(client).get_stream("EVENTS").await?;
    let last = stream.cached_info().state.last_sequence;
    let message = stream.get_raw_message(last).await?;
    let id = message.headers.get("ce-id").map(|id| id.as_str().to_owned()).unwrap_or_default();
    // Read after the stream, which is never ahead of the log.
    let logged: Option<Uuid> =
        sqlx::query_scalar("SELECT event_id FROM events WHERE position = $1")
            .bind(last as i64)
            .fetch_optional(&world.pool)
            .await?;
    if logged.map(|id| id.to_string()).as_deref() != Some(&id) {
        record.broken(format!("EVENTS holds {id} at {last}, and the log {logged:?}"));
    }
    Ok(())
}
