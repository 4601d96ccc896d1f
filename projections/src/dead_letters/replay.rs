//! Applying dead letters after all, or giving one up.

use journal::Journal;
use sqlx::{Connection, PgConnection, Row};

use super::{DeadLetterError, LetterId};
use crate::{
    PROJECTIONS,
    event::LogEvent,
    fault::Fault,
    runner::{Build, batch::Locked, isolate},
};

/// Events of one transaction: the build stands still meanwhile.
const CHUNK: i64 = 100;

/// What a replay came to in one build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    pub generation: i32,
    /// Events of the aggregate that are in the view now.
    pub applied: u64,
    /// Events of the aggregate that still wait.
    pub left: u64,
}

/// One aggregate's queue in one build.
struct Queue {
    build: Build,
    aggregate_type: String,
    aggregate_id: String,
}

/// Applies the waiting events of one aggregate in order, until one fails again: those behind the
/// given position and those before it, in every build of the code's version that holds it.
pub async fn replay(journal: &Journal, id: &LetterId) -> Result<Vec<Replayed>, DeadLetterError> {
    let mut replayed = Vec::new();
    for queue in queues(journal, id).await? {
        replayed.push(queue.replay(journal).await?);
    }
    Ok(replayed)
}

/// Gives one event up: the view goes on without it for ever. Only the first of its aggregate's
/// queue can be given up, in all builds or in none; those behind it are applied then.
pub async fn discard(journal: &Journal, id: &LetterId) -> Result<Vec<Replayed>, DeadLetterError> {
    let queues = queues(journal, id).await?;
    let mut transaction = journal.pool().begin().await?;
    for queue in &queues {
        queue.discard(&mut transaction, id).await?;
    }
    transaction.commit().await?;
    let LetterId { projection, position } = id;
    tracing::warn!(projection, position, "an event was given up; the view goes on without it");
    let mut replayed = Vec::new();
    for queue in &queues {
        replayed.push(queue.replay(journal).await?);
    }
    Ok(replayed)
}

async fn queues(journal: &Journal, id: &LetterId) -> Result<Vec<Queue>, DeadLetterError> {
    let not_found = || DeadLetterError::NotFound(id.clone());
    let projection = PROJECTIONS.iter().find(|p| p.name() == id.projection);
    let projection = projection.ok_or_else(not_found)?;
    let rows = sqlx::query(
        "SELECT generation, aggregate_type, aggregate_id FROM dead_letters
         WHERE projection = $1 AND version = $2 AND position = $3 ORDER BY generation",
    )
    .bind(&id.projection)
    .bind(projection.version())
    .bind(id.position as i64)
    .fetch_all(journal.pool())
    .await?;
    if rows.is_empty() {
        return Err(not_found());
    }
    let queues = rows.iter().map(|row| {
        Ok(Queue {
            build: Build { projection: *projection, generation: row.try_get("generation")? },
            aggregate_type: row.try_get("aggregate_type")?,
            aggregate_id: row.try_get("aggregate_id")?,
        })
    });
    Ok(queues.collect::<Result<_, sqlx::Error>>()?)
}

impl Queue {
    async fn replay(&self, journal: &Journal) -> Result<Replayed, DeadLetterError> {
        let generation = self.build.generation;
        let mut applied = 0;
        loop {
            let mut transaction = journal.pool().begin().await?;
            // Whoever holds the build's row is the only one to write its tables.
            let Some(locked) = Locked::take(&mut transaction, self.build).await? else {
                return Ok(Replayed { generation, applied, left: 0 });
            };
            let positions = self.next(&mut transaction).await?;
            let mut done = Vec::new();
            let mut failed = false;
            for position in &positions {
                if let Err(reason) =
                    self.apply(journal, &mut transaction, &locked.schema, *position).await?
                {
                    self.note(&mut transaction, *position, &reason).await?;
                    failed = true;
                    break;
                }
                done.push(*position as i64);
            }
            applied += done.len() as u64;
            self.remove(&mut transaction, &done).await?;
            let left = self.left(&mut transaction).await?;
            transaction.commit().await?;
            if failed || left == 0 {
                return Ok(Replayed { generation, applied, left });
            }
        }
    }

    async fn discard(
        &self,
        connection: &mut PgConnection,
        id: &LetterId,
    ) -> Result<(), DeadLetterError> {
        if Locked::take(connection, self.build).await?.is_none() {
            return Ok(());
        }
        let position = id.position;
        match self.next(connection).await?.first() {
            Some(first) if *first == position => {
                Ok(self.remove(connection, &[position as i64]).await?)
            }
            Some(first) if *first < position => Err(DeadLetterError::Parked { position }),
            // Another replay was quicker.
            _ => Err(DeadLetterError::NotFound(id.clone())),
        }
    }

    /// Gives the reason when the event cannot be applied.
    async fn apply(
        &self,
        journal: &Journal,
        connection: &mut PgConnection,
        schema: &str,
        position: u64,
    ) -> Result<Result<(), String>, DeadLetterError> {
        let Some(recorded) = journal.at(position).await? else {
            return Ok(Err("the event is not in the log".to_owned()));
        };
        let event = LogEvent::new(recorded);
        let mut savepoint = connection.begin().await?;
        match self.build.projection.apply(&mut savepoint, schema, &[&event]).await {
            Ok(()) => {
                savepoint.commit().await?;
                Ok(Ok(()))
            }
            Err(Fault::Database(error)) => Err(error.into()),
            Err(Fault::Event { reason, .. } | Fault::Values(reason)) => {
                savepoint.rollback().await?;
                Ok(Err(reason))
            }
        }
    }

    async fn next(&self, connection: &mut PgConnection) -> Result<Vec<u64>, sqlx::Error> {
        let positions: Vec<i64> = sqlx::query_scalar(
            "SELECT position FROM dead_letters
             WHERE projection = $1 AND version = $2 AND generation = $3
               AND aggregate_type = $4 AND aggregate_id = $5 ORDER BY position LIMIT $6",
        )
        .bind(self.build.projection.name())
        .bind(self.build.projection.version())
        .bind(self.build.generation)
        .bind(&self.aggregate_type)
        .bind(&self.aggregate_id)
        .bind(CHUNK)
        .fetch_all(connection)
        .await?;
        Ok(positions.into_iter().map(|position| position as u64).collect())
    }

    async fn left(&self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM dead_letters
             WHERE projection = $1 AND version = $2 AND generation = $3
               AND aggregate_type = $4 AND aggregate_id = $5",
        )
        .bind(self.build.projection.name())
        .bind(self.build.projection.version())
        .bind(self.build.generation)
        .bind(&self.aggregate_type)
        .bind(&self.aggregate_id)
        .fetch_one(connection)
        .await?;
        Ok(left as u64)
    }

    async fn remove(
        &self,
        connection: &mut PgConnection,
        positions: &[i64],
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "WITH gone AS (
                 DELETE FROM dead_letters
                 WHERE projection = $1 AND version = $2 AND generation = $3 AND position = ANY ($4)
                 RETURNING 1
             )
             UPDATE projections SET dead_letters = dead_letters - (SELECT count(*) FROM gone)
             WHERE name = $1 AND version = $2 AND generation = $3",
        )
        .bind(self.build.projection.name())
        .bind(self.build.projection.version())
        .bind(self.build.generation)
        .bind(positions)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The event is the first of the queue now, and has failed.
    async fn note(
        &self,
        connection: &mut PgConnection,
        position: u64,
        reason: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE dead_letters SET parked = false, attempts = attempts + 1, error = $5
             WHERE projection = $1 AND version = $2 AND generation = $3 AND position = $4",
        )
        .bind(self.build.projection.name())
        .bind(self.build.projection.version())
        .bind(self.build.generation)
        .bind(position as i64)
        .bind(isolate::kept(reason))
        .execute(connection)
        .await?;
        Ok(())
    }
}
