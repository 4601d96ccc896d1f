//! Events that a build could not apply, and those that wait behind them.

mod replay;

use domain::Timestamp;
use journal::{Journal, ReadError, Recorded};
use sqlx::{PgPool, Row, postgres::PgRow};

use crate::{
    Page, QueryError, Slice,
    cursor::{self, List},
};
pub use replay::{Replayed, discard, replay};

/// An event that is not in a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub projection: String,
    pub version: i32,
    pub generation: i32,
    pub position: u64,
    pub aggregate_type: String,
    pub aggregate_id: String,
    pub event_type: String,
    pub error: String,
    pub attempts: u32,
    /// It only waits behind an earlier event of its aggregate.
    pub parked: bool,
    pub at: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    #[error("no event at position {position} waits in dead_letters of {projection}")]
    NotFound { projection: String, position: u64 },
    #[error(
        "the event at position {position} only waits behind an earlier one of its aggregate; replay or discard that one"
    )]
    Parked { position: u64 },
    #[error("the log could not be read")]
    Read(#[from] ReadError),
    #[error("the database of the views failed")]
    Database(#[from] sqlx::Error),
}

const COLUMNS: &str = "projection, version, generation, position, aggregate_type, aggregate_id,
    event_type, error, attempts, parked, at";

/// All dead letters, or those of one read model, by position.
pub async fn list(
    pool: &PgPool,
    projection: Option<&str>,
    slice: Slice<'_>,
) -> Result<Page<DeadLetter>, QueryError> {
    // Builds of different read models and generations can hold the same position.
    let [position, skip] = match slice.cursor {
        Some(cursor) => cursor::decode(List::DeadLetters, cursor)?,
        None => [0, 0],
    };
    let query = format!(
        "SELECT {COLUMNS} FROM dead_letters
         WHERE ($1::text IS NULL OR projection = $1) AND position >= $2
         ORDER BY position, projection, version, generation OFFSET $3 LIMIT $4"
    );
    let rows = sqlx::query(&query)
        .bind(projection)
        .bind(position)
        .bind(skip.max(0))
        .bind(slice.fetch())
        .fetch_all(pool)
        .await?;
    let rows = rows.iter().map(DeadLetter::from_row).collect::<Result<Vec<_>, _>>()?;
    let shown = &rows[..rows.len().min(slice.limit())];
    let last = shown.last().map_or(0, |letter| letter.position);
    let at_last = shown.iter().filter(|letter| letter.position == last).count() as i64;
    let before = if last as i64 == position { skip } else { 0 };
    Ok(Page::of(rows, slice.limit(), |letter| {
        cursor::encode(List::DeadLetters, [letter.position as i64, before + at_last])
    }))
}

/// The dead letters of one event in one read model, of every build that holds it, and the event.
pub async fn show(
    journal: &Journal,
    projection: &str,
    position: u64,
) -> Result<(Vec<DeadLetter>, Recorded), DeadLetterError> {
    let query = format!(
        "SELECT {COLUMNS} FROM dead_letters WHERE projection = $1 AND position = $2
         ORDER BY version, generation"
    );
    let rows = sqlx::query(&query)
        .bind(projection)
        .bind(position as i64)
        .fetch_all(journal.pool())
        .await?;
    let letters = rows.iter().map(DeadLetter::from_row).collect::<Result<Vec<_>, _>>()?;
    match journal.at(position).await? {
        Some(event) if !letters.is_empty() => Ok((letters, event)),
        _ => Err(DeadLetterError::NotFound { projection: projection.to_owned(), position }),
    }
}

impl DeadLetter {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            projection: row.try_get("projection")?,
            version: row.try_get("version")?,
            generation: row.try_get("generation")?,
            position: row.try_get::<i64, _>("position")? as u64,
            aggregate_type: row.try_get("aggregate_type")?,
            aggregate_id: row.try_get("aggregate_id")?,
            event_type: row.try_get("event_type")?,
            error: row.try_get("error")?,
            attempts: row.try_get::<i32, _>("attempts")? as u32,
            parked: row.try_get("parked")?,
            at: row.try_get("at")?,
        })
    }
}
