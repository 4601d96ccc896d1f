//! Whether two builds of a read model hold the same rows.

use std::{fmt, time::Duration};

use sqlx::{Executor, PgConnection, PgPool, Postgres, Row, Transaction};

use super::{
    RebuildError, known,
    level::{self, Pair},
};
use crate::{Status, projection::Projection};

/// The live build beside the other one, both at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub position: u64,
    pub tables: Vec<TableComparison>,
    /// Events that wait in `dead_letters`: their aggregates differ from what the log says.
    pub live_dead_letters: u64,
    pub other_dead_letters: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableComparison {
    pub table: &'static str,
    pub live_rows: u64,
    pub other_rows: u64,
    /// Whether the rows have the same checksum.
    pub equal: bool,
}

impl Comparison {
    /// Same rows, and nothing left out in either.
    pub fn is_clean(&self) -> bool {
        self.is_same() && self.live_dead_letters == 0
    }

    /// Same rows, and as many events left out.
    pub fn is_same(&self) -> bool {
        self.tables.iter().all(|table| table.equal)
            && self.live_dead_letters == self.other_dead_letters
    }
}

/// Where the builds differ.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at position {}", self.position)?;
        for TableComparison { table, live_rows, other_rows, .. } in
            self.tables.iter().filter(|table| !table.equal)
        {
            write!(f, "; {table}: {live_rows} rows live, {other_rows} rebuilt, not the same")?;
        }
        let (live, other) = (self.live_dead_letters, self.other_dead_letters);
        if live != other {
            write!(f, "; {live} dead letters live, {other} rebuilt")?;
        }
        Ok(())
    }
}

/// Compares every table of the live build with that of the other one. Both are held until one
/// snapshot of them at one position is taken, at most `wait`; the rows are read after that.
pub async fn compare(
    pool: &PgPool,
    name: &str,
    wait: Duration,
) -> Result<Comparison, RebuildError> {
    with(pool, known(name)?, &[Status::Ready, Status::Standby], wait).await
}

/// The same with a build that has one of these statuses.
pub(super) async fn with(
    pool: &PgPool,
    projection: &'static dyn Projection,
    statuses: &[Status],
    wait: Duration,
) -> Result<Comparison, RebuildError> {
    let level = level::hold(pool, projection, statuses, wait).await?;
    let snapshot = snapshot(pool, projection, statuses).await;
    level.release().await?;
    let (mut transaction, pair) = snapshot?;
    if !pair.is_level() {
        return Err(RebuildError::NotLevel(projection.name()));
    }
    let mut tables = Vec::new();
    for table in projection.tables() {
        let live = checksum(&mut transaction, &pair.live.schema, table).await?;
        let other = checksum(&mut transaction, &pair.other.schema, table).await?;
        tables.push(TableComparison {
            table,
            live_rows: live.0,
            other_rows: other.0,
            equal: live == other,
        });
    }
    Ok(Comparison {
        position: pair.live.position,
        tables,
        live_dead_letters: pair.live.dead_letters,
        other_dead_letters: pair.other.dead_letters,
    })
}

/// The builds, and a transaction that goes on to see them as they are now.
async fn snapshot(
    pool: &PgPool,
    projection: &'static dyn Projection,
    statuses: &[Status],
) -> Result<(Transaction<'static, Postgres>, Pair), RebuildError> {
    let mut transaction = pool.begin().await?;
    transaction.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    let pair = Pair::find(&mut transaction, projection, statuses).await?;
    Ok((transaction, pair))
}

/// Number of rows, and a sum over them that does not depend on their order.
async fn checksum(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
) -> Result<(u64, String), sqlx::Error> {
    let query = format!(
        "SELECT count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)), 0)::text AS sum
         FROM {schema}.{table} t"
    );
    let row = sqlx::query(&query).fetch_one(connection).await?;
    Ok((row.try_get::<i64, _>("rows")? as u64, row.try_get("sum")?))
}
