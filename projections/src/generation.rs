//! The builds of each read model and how far they have come.

use domain::Timestamp;
use sqlx::{Executor, PgConnection, PgPool, Row, postgres::PgRow};

use crate::{PROJECTIONS, projection::Projection, query::unreadable};

/// Taken while builds are created or dropped, so that processes do not do it at the same time.
const LOCK: i64 = 0x6d69_6c6c_7669_6577;

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It catches up with the log.
    Building,
    /// It has caught up and may be switched to.
    Ready,
    /// It answers queries.
    Live,
    /// It was live before, and is kept up to date to switch back to.
    Standby,
}

/// One build of a read model.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    pub name: String,
    /// Version of the code that folds it.
    pub version: i32,
    /// Counts the builds of the version.
    pub generation: i32,
    /// The Postgres schema of its tables.
    pub schema: String,
    pub status: Status,
    /// Everything up to here is in its tables.
    pub position: u64,
    /// Last position of the log.
    pub head: u64,
    /// Events that wait in `dead_letters`.
    pub dead_letters: u64,
    /// Of late.
    pub events_per_second: f64,
    /// Why it does not go on, while it does not.
    pub error: Option<String>,
    pub started_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Status {
    pub(crate) const ALL: [Self; 4] = [Self::Building, Self::Ready, Self::Live, Self::Standby];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Ready => "ready",
            Self::Live => "live",
            Self::Standby => "standby",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, sqlx::Error> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| unreadable("status", text))
    }
}

impl Generation {
    /// Events of the log that are not in its tables yet.
    pub fn lag(&self) -> u64 {
        self.head.saturating_sub(self.position)
    }

    /// Seconds until it has caught up, at the speed of late; none when that cannot be told.
    pub fn seconds_left(&self) -> Option<u64> {
        let left = self.lag();
        if left == 0 {
            return Some(0);
        }
        (self.events_per_second > 0.0).then(|| (left as f64 / self.events_per_second).ceil() as u64)
    }

    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            name: row.try_get("name")?,
            version: row.try_get("version")?,
            generation: row.try_get("generation")?,
            schema: row.try_get("schema_name")?,
            status: Status::parse(row.try_get("status")?)?,
            position: row.try_get::<i64, _>("position")? as u64,
            head: row.try_get::<i64, _>("head")? as u64,
            dead_letters: row.try_get::<i64, _>("dead_letters")? as u64,
            events_per_second: row.try_get("events_per_second")?,
            error: row.try_get("error")?,
            started_at: row.try_get("started_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }
}

const SELECT: &str =
    "SELECT name, version, generation, schema_name, status, position, dead_letters,
    events_per_second, error, started_at, updated_at,
    (SELECT position FROM log_head) AS head FROM projections";

/// Every build there is, those of other versions of the code included.
pub async fn list(pool: &PgPool) -> Result<Vec<Generation>, sqlx::Error> {
    let query = format!("{SELECT} ORDER BY name, version, generation");
    let rows = sqlx::query(&query).fetch_all(pool).await?;
    rows.iter().map(Generation::from_row).collect()
}

/// The builds of this read model in the code's own version, oldest first.
pub(crate) async fn of(
    connection: &mut PgConnection,
    projection: &dyn Projection,
) -> Result<Vec<Generation>, sqlx::Error> {
    let query = format!("{SELECT} WHERE name = $1 AND version = $2 ORDER BY generation");
    let rows = sqlx::query(&query)
        .bind(projection.name())
        .bind(projection.version())
        .fetch_all(connection)
        .await?;
    rows.iter().map(Generation::from_row).collect()
}

/// Makes the first build of every read model that has none in the code's version. On an empty log
/// it is live at once, otherwise as soon as it has caught up.
pub async fn prepare(pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    lock(&mut transaction).await?;
    for projection in PROJECTIONS {
        if of(&mut transaction, *projection).await?.is_empty() {
            create(&mut transaction, *projection, 1).await?;
            sqlx::query(
                "UPDATE projections SET status = 'live'
                 WHERE name = $1 AND version = $2 AND (SELECT position FROM log_head) = 0",
            )
            .bind(projection.name())
            .bind(projection.version())
            .execute(&mut *transaction)
            .await?;
        }
    }
    transaction.commit().await
}

/// Held to the end of the transaction.
pub(crate) async fn lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(connection).await?;
    Ok(())
}

/// Creates the tables of a build and its row, status building.
pub(crate) async fn create(
    connection: &mut PgConnection,
    projection: &dyn Projection,
    generation: i32,
) -> Result<(), sqlx::Error> {
    let (name, version) = (projection.name(), projection.version());
    let schema = match generation {
        1 => format!("{name}_v{version}"),
        later => format!("{name}_v{version}_r{later}"),
    };
    let tables = format!(
        "CREATE SCHEMA {schema}; SET LOCAL search_path TO {schema}; {}
         SET LOCAL search_path TO DEFAULT;",
        projection.schema_sql()
    );
    connection.execute(tables.as_str()).await?;
    sqlx::query(
        "INSERT INTO projections (name, version, generation, schema_name, status)
         VALUES ($1, $2, $3, $4, 'building')",
    )
    .bind(name)
    .bind(version)
    .bind(generation)
    .bind(schema)
    .execute(connection)
    .await?;
    Ok(())
}
