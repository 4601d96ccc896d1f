//! Two builds of one view, row by row, with nothing but plain queries.

use sqlx::{PgConnection, PgPool};

pub const VIEWS: [&str; 7] =
    ["scans", "jobs", "organizations", "users", "sessions", "audit", "address_blocks"];

pub enum Comparison {
    /// So many rows.
    Same(i64),
    Differ(String),
    /// There are no two builds that stand at one position.
    NotLevel,
}

/// Compares the live build with the other one, as both are at one moment.
pub async fn compare(pool: &PgPool, view: &str) -> Result<Comparison, sqlx::Error> {
    let mut snapshot = pool.begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .execute(&mut *snapshot)
        .await?;
    let builds: Vec<(String, i64)> = sqlx::query_as(
        "SELECT schema_name, position FROM projections
         WHERE name = $1 AND status <> 'building'",
    )
    .bind(view)
    .fetch_all(&mut *snapshot)
    .await?;
    let [(one, at), (other, also_at)] = builds.as_slice() else { return Ok(Comparison::NotLevel) };
    if at != also_at {
        return Ok(Comparison::NotLevel);
    }
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1",
    )
    .bind(one)
    .fetch_all(&mut *snapshot)
    .await?;
    let mut rows = 0;
    for table in &tables {
        let differing = difference(&mut snapshot, one, other, table).await?;
        if !differing.is_empty() {
            return Ok(Comparison::Differ(format!("{view} at {at}: {table}: {differing:?}")));
        }
        let count = format!("SELECT count(*) FROM {one}.{table}");
        rows += sqlx::query_scalar::<_, i64>(&count).fetch_one(&mut *snapshot).await?;
    }
    if tables.is_empty() {
        return Ok(Comparison::Differ(format!("{view} has no tables")));
    }
    Ok(Comparison::Same(rows))
}

/// Rows of which one build has more than the other.
async fn difference(
    connection: &mut PgConnection,
    one: &str,
    other: &str,
    table: &str,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let query = format!(
        "SELECT row, sum(more)::bigint FROM (
             SELECT t::text AS row, 1 AS more FROM {one}.{table} t
             UNION ALL SELECT t::text, -1 FROM {other}.{table} t) AS two
         GROUP BY row HAVING sum(more) <> 0 ORDER BY row LIMIT 4"
    );
    sqlx::query_as(&query).fetch_all(connection).await
}
