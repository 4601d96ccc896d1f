//! One batch of one build: rows and checkpoint in one transaction.

use sqlx::{PgConnection, Row};

use super::{
    Build, RunOptions,
    isolate::{self, Care, Letter},
    tail::Slice,
};
use crate::Status;

/// What became of a batch.
pub(super) enum Outcome {
    /// Applied as far as this position.
    Applied { position: u64, status: Status },
    /// The build stands elsewhere: another projector was faster, or this one has just begun.
    Moved { position: u64, status: Status },
    /// The build is being compared or switched and must not move now.
    Held,
    /// The build was dropped.
    Gone,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Halt {
    #[error("the log could not be read")]
    Read(#[from] journal::ReadError),
    #[error("the database of the views failed")]
    Database(#[from] sqlx::Error),
    #[error("the database of the views does not answer")]
    Slow,
    #[error("{count} events wait in dead_letters, more than {max}; replay or discard some of them")]
    DeadLetters { count: u64, max: u64 },
}

/// The row of a build, locked: whoever holds it is the only one to feed the build.
pub(crate) struct Locked {
    pub position: u64,
    pub schema: String,
    pub dead_letters: u64,
    pub status: Status,
    /// It must not go beyond this position now.
    pub hold_at: Option<u64>,
}

impl Locked {
    pub async fn take(
        connection: &mut PgConnection,
        build: Build,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query(
            "SELECT position, schema_name, dead_letters, status,
                    CASE WHEN hold_until > clock_timestamp() THEN hold_at END AS hold_at
             FROM projections WHERE name = $1 AND version = $2 AND generation = $3 FOR UPDATE",
        )
        .bind(build.projection.name())
        .bind(build.projection.version())
        .bind(build.generation)
        .fetch_optional(connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Self {
            position: row.try_get::<i64, _>("position")? as u64,
            schema: row.try_get("schema_name")?,
            dead_letters: row.try_get::<i64, _>("dead_letters")? as u64,
            status: Status::parse(row.try_get("status")?)?,
            hold_at: row.try_get::<Option<i64>, _>("hold_at")?.map(|at| at as u64),
        }))
    }
}

/// Applies the events of the slice.
pub(super) async fn apply(
    journal: &journal::Journal,
    build: Build,
    options: &RunOptions,
    slice: &Slice,
    events_per_second: f64,
) -> Result<Outcome, Halt> {
    for care in [Care::AsOne, Care::InParts] {
        if let Some(outcome) =
            attempt(journal, build, options, slice, events_per_second, care).await?
        {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Held)
}

/// None when the events cannot be applied as one.
async fn attempt(
    journal: &journal::Journal,
    build: Build,
    options: &RunOptions,
    slice: &Slice,
    events_per_second: f64,
    care: Care,
) -> Result<Option<Outcome>, Halt> {
    let (after, events) = (slice.after(), slice.events());
    let mut transaction = journal.pool().begin_with(begin(options)).await?;
    let Some(locked) = Locked::take(&mut transaction, build).await? else {
        return Ok(Some(Outcome::Gone));
    };
    if locked.position != after {
        return Ok(Some(Outcome::Moved { position: locked.position, status: locked.status }));
    }
    let allowed = match locked.hold_at {
        Some(hold) => hold.saturating_sub(after).min(events.len() as u64) as usize,
        None => events.len(),
    };
    if allowed == 0 {
        return Ok(Some(Outcome::Held));
    }
    if locked.status == Status::Building {
        // A batch lost in a crash is applied again; nobody has seen it.
        sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *transaction).await?;
    }
    let events = &events[..allowed];
    let has_letters = locked.dead_letters > 0;
    let applied =
        isolate::apply(&mut transaction, build, &locked.schema, events, has_letters, care).await?;
    let Some(letters) = applied else { return Ok(None) };
    let count = locked.dead_letters + letters.len() as u64;
    if !letters.is_empty() {
        if count > options.max_dead_letters {
            return Err(Halt::DeadLetters { count, max: options.max_dead_letters });
        }
        isolate::store(&mut transaction, build, &letters).await?;
    }
    let position = after + allowed as u64;
    checkpoint(&mut transaction, build, position, count, events_per_second).await?;
    transaction.commit().await?;
    report(build, &letters);
    Ok(Some(Outcome::Applied { position, status: locked.status }))
}

/// Begins a transaction in one round trip with what holds in it. A plan that was made while a table
/// was small would read all of it when it has grown, so rows are always looked up.
fn begin(options: &RunOptions) -> String {
    let timeout_ms = options.statement_timeout.as_millis();
    format!(
        "BEGIN; SET LOCAL statement_timeout = {timeout_ms}; SET LOCAL enable_seqscan = off; SET LOCAL jit = off"
    )
}

async fn checkpoint(
    connection: &mut PgConnection,
    build: Build,
    position: u64,
    dead_letters: u64,
    events_per_second: f64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE projections SET position = $4, dead_letters = $5, events_per_second = $6,
                error = NULL, updated_at = now()
         WHERE name = $1 AND version = $2 AND generation = $3",
    )
    .bind(build.projection.name())
    .bind(build.projection.version())
    .bind(build.generation)
    .bind(position as i64)
    .bind(dead_letters as i64)
    .bind(events_per_second)
    .execute(connection)
    .await?;
    Ok(())
}

fn report(build: Build, letters: &[Letter<'_>]) {
    for letter in letters.iter().filter(|letter| !letter.parked) {
        tracing::error!(
            projection = build.projection.name(),
            generation = build.generation,
            position = letter.event.position(),
            aggregate = letter.event.recorded.aggregate_id,
            error = letter.error,
            "an event cannot be applied; it waits in dead_letters with those behind it"
        );
    }
}

/// A build that has seen the end of the log is ready, or live when it is the only one.
pub(super) async fn settle(journal: &journal::Journal, build: Build) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE projections SET updated_at = now(), status = CASE WHEN EXISTS (
                SELECT FROM projections WHERE name = $1 AND version = $2 AND status = 'live'
            ) THEN 'ready' ELSE 'live' END
         WHERE name = $1 AND version = $2 AND generation = $3 AND status = 'building'",
    )
    .bind(build.projection.name())
    .bind(build.projection.version())
    .bind(build.generation)
    .execute(journal.pool())
    .await?;
    Ok(())
}

/// Shows operators why the build does not go on.
pub(super) async fn note_error(
    journal: &journal::Journal,
    build: Build,
    error: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE projections SET error = $4, updated_at = now()
         WHERE name = $1 AND version = $2 AND generation = $3",
    )
    .bind(build.projection.name())
    .bind(build.projection.version())
    .bind(build.generation)
    .bind(isolate::kept(error))
    .execute(journal.pool())
    .await?;
    Ok(())
}
