use domain::ids::OrganizationId;
use journal::{Journal, Recorded};
use sqlx::{PgPool, Row, postgres::PgRow};

use super::{DeadLetter, DeadLetterError, LetterId, Missing};
use crate::{
    Page, QueryError, Reach, Slice,
    cursor::{self, List},
};

const COLUMNS: &str = "projection, version, generation, position, org_id, aggregate_type,
    aggregate_id, event_type, error, attempts, parked, at";

/// The dead letters within reach, or those of one read model, by position.
pub async fn list(
    reach: Reach,
    pool: &PgPool,
    projection: Option<&str>,
    slice: Slice<'_>,
) -> Result<Page<DeadLetter>, QueryError> {
    // Different read models can miss the event at one position.
    let [position, skip] = match slice.cursor {
        Some(cursor) => cursor::decode(List::DeadLetters, cursor)?,
        None => [0, 0],
    };
    let query = format!(
        "SELECT {COLUMNS} FROM dead_letters JOIN (
             SELECT DISTINCT position, projection FROM dead_letters
             WHERE ($1::uuid IS NULL OR org_id = $1) AND ($2::text IS NULL OR projection = $2)
               AND position >= $3
             ORDER BY position, projection OFFSET $4 LIMIT $5
         ) page USING (position, projection)
         ORDER BY position, projection, version, generation"
    );
    let rows = sqlx::query(&query)
        .bind(reach.org().map(|org| org.uuid()))
        .bind(projection)
        .bind(position)
        .bind(skip.max(0))
        .bind(slice.fetch())
        .fetch_all(pool)
        .await?;
    let letters = letters(&rows)?;
    let shown = &letters[..letters.len().min(slice.limit())];
    let last = shown.last().map_or(0, |letter| letter.id.position);
    let at_last = shown.iter().filter(|letter| letter.id.position == last).count() as i64;
    let before = if last as i64 == position { skip } else { 0 };
    Ok(Page::of(letters, slice.limit(), |letter| {
        cursor::encode(List::DeadLetters, [letter.id.position as i64, before + at_last])
    }))
}

/// One dead letter and its event. What is out of reach is not found.
pub async fn show(
    reach: Reach,
    journal: &Journal,
    id: &LetterId,
) -> Result<(DeadLetter, Recorded), DeadLetterError> {
    let query = format!(
        "SELECT {COLUMNS} FROM dead_letters
         WHERE ($1::uuid IS NULL OR org_id = $1) AND projection = $2 AND position = $3
         ORDER BY version, generation"
    );
    let rows = sqlx::query(&query)
        .bind(reach.org().map(|org| org.uuid()))
        .bind(&id.projection)
        .bind(id.position as i64)
        .fetch_all(journal.pool())
        .await?;
    let not_found = || DeadLetterError::NotFound(id.clone());
    let letter = letters(&rows)?.pop().ok_or_else(not_found)?;
    let event = journal.at(id.position).await?.ok_or_else(not_found)?;
    Ok((letter, event))
}

/// Rows of one letter stand together, one for each build.
fn letters(rows: &[PgRow]) -> Result<Vec<DeadLetter>, sqlx::Error> {
    let mut letters: Vec<DeadLetter> = Vec::new();
    for row in rows {
        let id = LetterId::new(
            row.try_get::<String, _>("projection")?,
            row.try_get::<i64, _>("position")? as u64,
        );
        let missing = Missing::from_row(row)?;
        match letters.last_mut().filter(|letter| letter.id == id) {
            Some(letter) => letter.builds.push(missing),
            None => letters.push(DeadLetter {
                id,
                org: OrganizationId::from_uuid(row.try_get("org_id")?),
                aggregate_type: row.try_get("aggregate_type")?,
                aggregate_id: row.try_get("aggregate_id")?,
                event_type: row.try_get("event_type")?,
                builds: vec![missing],
            }),
        }
    }
    Ok(letters)
}

impl Missing {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            version: row.try_get("version")?,
            generation: row.try_get("generation")?,
            error: row.try_get("error")?,
            attempts: row.try_get::<i32, _>("attempts")? as u32,
            parked: row.try_get("parked")?,
            at: row.try_get("at")?,
        })
    }
}
