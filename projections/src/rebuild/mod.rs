//! A second build of a read model beside the live one, and the change from one to the other.
//!
//! The projector feeds both. Builds are compared and switched at one and the same position, for
//! which both are held for some milliseconds; queries are answered all the time.

mod compare;
mod exchange;
mod level;

use std::time::Duration;

use sqlx::{Executor, PgConnection, PgPool};

use crate::{Generation, PROJECTIONS, Status, generation, projection::Projection};
pub use compare::{Comparison, TableComparison, compare};
pub use exchange::{Differences, Terms, rollback, switch};

/// How long both builds may take to come to one position before they are compared or exchanged.
pub const LEVEL_WAIT: Duration = Duration::from_secs(30);

/// Longest time that dropping tables waits for the reads that use them.
const DROP_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("there is no view called `{0}`")]
    Unknown(String),
    #[error("{name} has another build already, with status {status}; drop or switch it first")]
    Busy { name: &'static str, status: &'static str },
    #[error("{0} has no live build yet, so there is nothing to build beside")]
    NotBuilt(&'static str),
    #[error("{name} has no build with status {wanted}")]
    Missing { name: &'static str, wanted: String },
    #[error("{name} is still being built: it stands at position {position} of {head}")]
    Behind { name: &'static str, position: u64, head: u64 },
    #[error("the rebuilt {name} differs from the one that answers, {comparison}")]
    Differ { name: &'static str, comparison: Comparison },
    #[error("generation {live} of {name} answers now, not the one that was named")]
    Moved { name: &'static str, live: i32 },
    #[error("{name} has no build of version {version}")]
    NoVersion { name: String, version: i32 },
    #[error("the builds of {0} did not come to one position in time; does a projector feed both?")]
    NotLevel(&'static str),
    #[error("version {version} of {name} is the one this program uses")]
    InUse { name: String, version: i32 },
    #[error("the database of the views failed")]
    Database(#[from] sqlx::Error),
}

impl RebuildError {
    fn missing(name: &'static str, statuses: &[Status]) -> Self {
        let wanted: Vec<_> = statuses.iter().map(|status| status.as_str()).collect();
        Self::Missing { name, wanted: wanted.join(" or ") }
    }
}

fn known(name: &str) -> Result<&'static dyn Projection, RebuildError> {
    let found = PROJECTIONS.iter().find(|projection| projection.name() == name);
    found.copied().ok_or_else(|| RebuildError::Unknown(name.to_owned()))
}

/// Begins a build beside the live one and gives its number. The running projector feeds it, and
/// goes on where it was after an interruption; `list` shows how far it is.
pub async fn rebuild(pool: &PgPool, name: &str) -> Result<i32, RebuildError> {
    let projection = known(name)?;
    let mut transaction = pool.begin().await?;
    generation::lock(&mut transaction).await?;
    let builds = generation::of(&mut transaction, projection).await?;
    let (live, others): (Vec<_>, Vec<_>) =
        builds.iter().partition(|build| build.status == Status::Live);
    let Some(live) = live.first() else {
        return Err(RebuildError::NotBuilt(projection.name()));
    };
    if let Some(other) = others.first() {
        let status = other.status.as_str();
        return Err(RebuildError::Busy { name: projection.name(), status });
    }
    let number = live.generation + 1;
    generation::create(&mut transaction, projection, number).await?;
    transaction.commit().await?;
    Ok(number)
}

/// Drops the build on standby: after that there is nothing to roll back to.
pub async fn drop_standby(pool: &PgPool, name: &str) -> Result<(), RebuildError> {
    drop_other(pool, known(name)?, &[Status::Standby]).await
}

/// Gives up a build that is not live yet.
pub async fn cancel_rebuild(pool: &PgPool, name: &str) -> Result<(), RebuildError> {
    drop_other(pool, known(name)?, &[Status::Building, Status::Ready]).await
}

async fn drop_other(
    pool: &PgPool,
    projection: &'static dyn Projection,
    statuses: &[Status],
) -> Result<(), RebuildError> {
    let name = projection.name();
    let mut transaction = pool.begin().await?;
    generation::lock(&mut transaction).await?;
    let builds = generation::of(&mut transaction, projection).await?;
    if !builds.iter().any(|build| build.status == Status::Live) {
        return Err(RebuildError::NotBuilt(name));
    }
    let missing = || RebuildError::missing(name, statuses);
    let found = builds.iter().find(|build| statuses.contains(&build.status));
    if !drop_build(&mut transaction, found.ok_or_else(missing)?, statuses).await? {
        return Err(missing());
    }
    Ok(transaction.commit().await?)
}

/// Drops every build of a version that this program does not use.
pub async fn drop_version(pool: &PgPool, name: &str, version: i32) -> Result<(), RebuildError> {
    if known(name).is_ok_and(|projection| projection.version() == version) {
        return Err(RebuildError::InUse { name: name.to_owned(), version });
    }
    let mut dropped = false;
    for build in generation::list(pool).await? {
        if build.name == name && build.version == version {
            let mut transaction = pool.begin().await?;
            dropped |= drop_build(&mut transaction, &build, &Status::ALL).await?;
            transaction.commit().await?;
        }
    }
    match dropped {
        true => Ok(()),
        false => Err(RebuildError::NoVersion { name: name.to_owned(), version }),
    }
}

/// False when the build is gone or has another status than these by now: a switch does not wait for
/// anything but the row itself.
async fn drop_build(
    connection: &mut PgConnection,
    build: &Generation,
    statuses: &[Status],
) -> Result<bool, sqlx::Error> {
    let wait = DROP_WAIT.as_millis();
    connection.execute(format!("SET LOCAL lock_timeout = {wait}").as_str()).await?;
    let deleted = sqlx::query(
        "DELETE FROM projections
         WHERE name = $1 AND version = $2 AND generation = $3 AND status = ANY ($4)",
    )
    .bind(&build.name)
    .bind(build.version)
    .bind(build.generation)
    .bind(statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    if deleted.rows_affected() != 1 {
        return Ok(false);
    }
    connection.execute(format!("DROP SCHEMA {} CASCADE", build.schema).as_str()).await?;
    Ok(true)
}
