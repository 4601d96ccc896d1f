use domain::{
    Timestamp,
    jobs::{JobKind, Priority},
};
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{Dispatcher, Error};

/// Held while jobs of a kind are chosen; the kind is the second key.
const LOCK: i32 = 0x6d6c_6a64;
/// Unpublished releases taken up in one look.
const TAKE_UP: i64 = 200;

/// A release that is ours to publish.
#[derive(Debug)]
pub(super) struct Release {
    pub job: String,
    pub attempt: u32,
    pub priority: Priority,
    pub release: u64,
}

#[derive(Debug, Default)]
pub(super) struct Released {
    pub to_publish: Vec<Release>,
    /// When the next job that must wait may be released.
    pub next: Option<Timestamp>,
}

impl Dispatcher {
    pub(super) async fn release(
        &self,
        schema: &str,
        kind: JobKind,
        now: Timestamp,
    ) -> Result<Released, Error> {
        let mut transaction = self.backbone.journal.pool().begin().await?;
        let connection = &mut *transaction;
        // Compiling the statements takes far longer than running them.
        sqlx::query("SELECT set_config('jit', 'off', true), pg_advisory_xact_lock($1, $2)")
            .bind(LOCK)
            .bind(kind as i32)
            .execute(&mut *connection)
            .await?;
        forget_started(connection, schema, kind).await?;
        let mut to_publish = self.take_up(connection, kind).await?;
        let free = self.free(connection, schema, kind).await?;
        if free > 0 {
            to_publish.extend(self.choose(connection, schema, kind, now, free).await?);
        }
        let next = next_not_before(connection, schema, kind, now).await?;
        transaction.commit().await?;
        Ok(Released { to_publish, next })
    }

    /// How many more jobs may be under way.
    async fn free(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        kind: JobKind,
    ) -> Result<i64, sqlx::Error> {
        let sql = format!(
            "SELECT (SELECT coalesce(sum(slots), 0) FROM worker_slots
                     WHERE kind = $1 AND expires_at > clock_timestamp()) AS capacity,
                    (SELECT count(*) FROM {schema}.jobs WHERE kind = $1 AND status = 'running')
                  + (SELECT count(*) FROM job_releases WHERE kind = $1) AS under_way"
        );
        let row = sqlx::query(&sql).bind(kind.as_str()).fetch_one(connection).await?;
        let (capacity, under_way): (i64, i64) =
            (row.try_get("capacity")?, row.try_get("under_way")?);
        // Rounded up, so that a single slot has its next job at hand.
        let ahead = (capacity * i64::from(self.options.ahead_percent) + 99) / 100;
        Ok(capacity + ahead - under_way)
    }

    /// Chooses at most `free` jobs and records their release. The organisations are found by jumps
    /// over the index, and only the first few jobs of each are read, however many wait.
    async fn choose(
        &self,
        connection: &mut PgConnection,
        schema: &str,
        kind: JobKind,
        now: Timestamp,
        free: i64,
    ) -> Result<Vec<Release>, sqlx::Error> {
        let sql = include_str!("choose.sql").replace("{jobs}", &format!("{schema}.jobs"));
        let rows = sqlx::query(&sql)
            .bind(kind.as_str())
            .bind(now)
            .bind(free)
            .bind(i64::from(self.options.per_organization))
            .bind(self.options.publish_timeout.as_secs_f64())
            .fetch_all(connection)
            .await?;
        rows.iter().map(Release::from_row).collect()
    }

    /// Takes up releases that nobody published: their dispatcher died, or the message was lost.
    async fn take_up(
        &self,
        connection: &mut PgConnection,
        kind: JobKind,
    ) -> Result<Vec<Release>, sqlx::Error> {
        let rows = sqlx::query(
            "UPDATE job_releases r
             SET publish_until = clock_timestamp() + make_interval(secs => $2)
             FROM (SELECT job_id, attempt FROM job_releases
                   WHERE kind = $1 AND stream_sequence IS NULL
                     AND publish_until <= clock_timestamp()
                   LIMIT $3 FOR UPDATE SKIP LOCKED) AS waiting
             WHERE r.job_id = waiting.job_id AND r.attempt = waiting.attempt
             RETURNING r.job_id, r.attempt, r.rank, r.release",
        )
        .bind(kind.as_str())
        .bind(self.options.publish_timeout.as_secs_f64())
        .bind(TAKE_UP)
        .fetch_all(connection)
        .await?;
        rows.iter().map(Release::from_row).collect()
    }
}

/// Removes releases whose attempt no longer waits. There are never many more releases than slots.
async fn forget_started(
    connection: &mut PgConnection,
    schema: &str,
    kind: JobKind,
) -> Result<(), sqlx::Error> {
    let sql = format!(
        "DELETE FROM job_releases r WHERE r.kind = $1 AND NOT EXISTS (
             SELECT FROM {schema}.jobs q
             WHERE q.job_id = r.job_id AND q.status = 'queued' AND q.attempt = r.attempt)"
    );
    sqlx::query(&sql).bind(kind.as_str()).execute(connection).await?;
    Ok(())
}

async fn next_not_before(
    connection: &mut PgConnection,
    schema: &str,
    kind: JobKind,
    now: Timestamp,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let sql = format!(
        "SELECT min(not_before) FROM {schema}.jobs
         WHERE kind = $1 AND status = 'queued' AND not_before > $2"
    );
    sqlx::query_scalar(&sql).bind(kind.as_str()).bind(now).fetch_one(connection).await
}

impl Release {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            job: row.try_get("job_id")?,
            attempt: row.try_get::<i32, _>("attempt")?.unsigned_abs(),
            priority: Priority::from_rank(row.try_get("rank")?).unwrap_or(Priority::Low),
            release: row.try_get::<i64, _>("release")?.unsigned_abs(),
        })
    }
}
