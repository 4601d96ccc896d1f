//! Applying a batch although some of its events cannot be applied.
//!
//! What fails goes to `dead_letters`, and so does every later event of the same aggregate: no view
//! has a hole in the middle of an aggregate. Other aggregates go on.

use std::collections::{HashMap, HashSet};

use sqlx::{Connection, PgConnection, Row};

use super::Build;
use crate::{
    event::{LogEvent, storable},
    fault::Fault,
};

/// Longest error text that is kept, in characters.
const MAX_ERROR: usize = 2000;

/// An event that was not applied.
pub(crate) struct Letter<'e> {
    pub event: &'e LogEvent,
    pub error: String,
    /// It only waits behind one that failed.
    pub parked: bool,
}

/// How a batch is applied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// All of it at once: nothing is expected to fail.
    AsOne,
    /// So that what fails can be told from the rest.
    InParts,
}

/// Aggregates by type and id, and the position after which their events have to wait.
type Blocked = HashMap<(String, String), u64>;

/// Applies what can be applied; gives the rest. Only a database fault is an error, and then
/// nothing may be committed; nor may anything when it gives none, because the events cannot be
/// applied as one.
pub(super) async fn apply<'e>(
    connection: &mut PgConnection,
    build: Build,
    schema: &str,
    events: &'e [LogEvent],
    has_dead_letters: bool,
    care: Care,
) -> Result<Option<Vec<Letter<'e>>>, sqlx::Error> {
    let mut whole: Vec<_> = events.iter().filter(|event| build.projection.folds(event)).collect();
    let mut blocked = Blocked::new();
    if has_dead_letters {
        blocked = load_blocked(connection, build, &whole).await?;
    }
    let mut letters = Vec::new();
    // Found without the database, so that many of them cost no attempts.
    whole.retain(|event| {
        if !blocked.is_empty() && park(&blocked, event, &mut letters) {
            return false;
        }
        let Err(error) = event.decode() else { return true };
        if build.projection.takes_unreadable() {
            return true;
        }
        fail(&mut blocked, event, error.to_owned(), &mut letters);
        false
    });
    if care == Care::AsOne {
        return match build.projection.apply(connection, schema, &whole).await {
            Ok(()) => Ok(Some(letters)),
            Err(Fault::Database(error)) => Err(error),
            Err(Fault::Event { .. } | Fault::Values(_)) => Ok(None),
        };
    }
    let mut parts = vec![whole];
    while let Some(mut part) = parts.pop() {
        part.retain(|event| blocked.is_empty() || !park(&blocked, event, &mut letters));
        if part.is_empty() {
            continue;
        }
        let mut savepoint = connection.begin().await?;
        let fault = match build.projection.apply(&mut savepoint, schema, &part).await {
            Ok(()) => {
                savepoint.commit().await?;
                continue;
            }
            Err(fault) => fault,
        };
        match fault {
            Fault::Database(error) => return Err(error),
            Fault::Event { position, reason } => {
                savepoint.rollback().await?;
                let at = part.iter().position(|e| e.position() == position).unwrap_or_default();
                let failed = part.remove(at);
                fail(&mut blocked, failed, reason, &mut letters);
                parts.push(part);
            }
            Fault::Values(reason) if part.len() == 1 => {
                savepoint.rollback().await?;
                fail(&mut blocked, part[0], reason, &mut letters);
            }
            Fault::Values(_) => {
                savepoint.rollback().await?;
                let second = part.split_off(part.len() / 2);
                parts.push(second);
                parts.push(part);
            }
        }
    }
    Ok(Some(letters))
}

/// Gives true, and keeps the event, when it has to wait.
fn park<'e>(blocked: &Blocked, event: &'e LogEvent, letters: &mut Vec<Letter<'e>>) -> bool {
    let (aggregate_type, id) = event.aggregate();
    let since = blocked.get(&(aggregate_type.to_owned(), id.to_owned()));
    let waits = since.is_some_and(|since| event.position() > *since);
    if waits {
        let error = "waits behind an earlier event of its aggregate".to_owned();
        letters.push(Letter { event, error, parked: true });
    }
    waits
}

fn fail<'e>(
    blocked: &mut Blocked,
    event: &'e LogEvent,
    error: String,
    letters: &mut Vec<Letter<'e>>,
) {
    let (aggregate_type, id) = event.aggregate();
    blocked.insert((aggregate_type.to_owned(), id.to_owned()), event.position());
    letters.push(Letter { event, error, parked: false });
}

async fn load_blocked(
    connection: &mut PgConnection,
    build: Build,
    events: &[&LogEvent],
) -> Result<Blocked, sqlx::Error> {
    let aggregates: HashSet<_> = events.iter().map(|event| event.aggregate()).collect();
    let (types, ids): (Vec<_>, Vec<_>) = aggregates.into_iter().unzip();
    let rows = sqlx::query(
        "SELECT DISTINCT aggregate_type, aggregate_id FROM dead_letters
         WHERE projection = $1 AND version = $2 AND generation = $3
           AND (aggregate_type, aggregate_id) IN (SELECT * FROM unnest($4::text[], $5::text[]))",
    )
    .bind(build.projection.name())
    .bind(build.projection.version())
    .bind(build.generation)
    .bind(types)
    .bind(ids)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| Ok(((row.try_get("aggregate_type")?, row.try_get("aggregate_id")?), 0)))
        .collect()
}

/// Keeps the letters with the build.
pub(super) async fn store(
    connection: &mut PgConnection,
    build: Build,
    letters: &[Letter<'_>],
) -> Result<(), sqlx::Error> {
    let column = |of: fn(&LogEvent) -> &str| -> Vec<&str> {
        letters.iter().map(|letter| of(letter.event)).collect()
    };
    sqlx::query(
        "INSERT INTO dead_letters (projection, version, generation, position, aggregate_type,
                                   aggregate_id, org_id, event_type, error, attempts, parked)
         SELECT $1, $2, $3, p, t, i, o, e, r, CASE WHEN w THEN 0 ELSE 1 END, w
         FROM unnest($4::bigint[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::text[],
                     $10::bool[])
              AS g(p, t, i, o, e, r, w)",
    )
    .bind(build.projection.name())
    .bind(build.projection.version())
    .bind(build.generation)
    .bind(letters.iter().map(|letter| letter.event.position() as i64).collect::<Vec<_>>())
    .bind(column(|event| &event.recorded.aggregate_type))
    .bind(column(|event| &event.recorded.aggregate_id))
    .bind(letters.iter().map(|letter| letter.event.recorded.org.uuid()).collect::<Vec<_>>())
    .bind(column(|event| &event.recorded.event_type))
    .bind(letters.iter().map(|letter| kept(&letter.error)).collect::<Vec<_>>())
    .bind(letters.iter().map(|letter| letter.parked).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// An error as it is kept: bounded, and without what Postgres cannot hold.
pub(crate) fn kept(error: &str) -> String {
    storable(&error.chars().take(MAX_ERROR).collect::<String>())
}
