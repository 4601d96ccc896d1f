//! Bringing the two builds of a read model to one position.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use tokio::time::{Instant, sleep};

use super::RebuildError;
use crate::{Generation, Status, generation, projection::Projection};

const POLL: Duration = Duration::from_millis(5);

/// The live build and the one beside it.
pub(super) struct Pair {
    pub live: Generation,
    pub other: Generation,
}

/// Both builds are held; `release` lets them go on, and so does the end of the time given.
pub(super) struct Level {
    pool: PgPool,
    projection: &'static dyn Projection,
}

impl Pair {
    /// As they are now.
    pub async fn find(
        connection: &mut PgConnection,
        projection: &'static dyn Projection,
        statuses: &[Status],
    ) -> Result<Self, RebuildError> {
        let name = projection.name();
        let builds = generation::of(connection, projection).await?;
        let find = |wanted: &[Status]| builds.iter().find(|b| wanted.contains(&b.status)).cloned();
        let live = find(&[Status::Live]).ok_or(RebuildError::NotBuilt(name))?;
        match (find(statuses), find(&[Status::Building])) {
            (Some(other), _) => Ok(Self { live, other }),
            (None, Some(Generation { position, head, .. })) => {
                Err(RebuildError::Behind { name, position, head })
            }
            (None, None) => Err(RebuildError::missing(name, statuses)),
        }
    }

    /// The same, and neither moves before the end of the transaction.
    pub async fn lock(
        connection: &mut PgConnection,
        projection: &'static dyn Projection,
        statuses: &[Status],
    ) -> Result<Self, RebuildError> {
        sqlx::query(
            "SELECT FROM projections WHERE name = $1 AND version = $2
             ORDER BY generation FOR UPDATE",
        )
        .bind(projection.name())
        .bind(projection.version())
        .fetch_all(&mut *connection)
        .await?;
        Self::find(connection, projection, statuses).await
    }

    pub fn is_level(&self) -> bool {
        self.live.position == self.other.position
    }
}

/// Lets the one that is behind come up to the other, and holds both there for at most `wait`.
pub(super) async fn hold(
    pool: &PgPool,
    projection: &'static dyn Projection,
    statuses: &[Status],
    wait: Duration,
) -> Result<Level, RebuildError> {
    let deadline = Instant::now() + wait;
    let mut transaction = pool.begin().await?;
    let pair = Pair::lock(&mut transaction, projection, statuses).await?;
    sqlx::query(
        "UPDATE projections SET hold_at = $3, hold_until = clock_timestamp() + make_interval(secs => $4)
         WHERE name = $1 AND version = $2",
    )
    .bind(projection.name())
    .bind(projection.version())
    .bind(pair.live.position.max(pair.other.position) as i64)
    .bind(wait.as_secs_f64())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;

    let level = Level { pool: pool.clone(), projection };
    let result = level.reached(statuses, deadline).await;
    if result.is_err() {
        level.release().await?;
    }
    result.map(|()| level)
}

impl Level {
    async fn reached(&self, statuses: &[Status], deadline: Instant) -> Result<(), RebuildError> {
        let mut connection = self.pool.acquire().await?;
        while !Pair::find(&mut connection, self.projection, statuses).await?.is_level() {
            if Instant::now() >= deadline {
                return Err(RebuildError::NotLevel(self.projection.name()));
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    pub async fn release(&self) -> Result<(), RebuildError> {
        sqlx::query(
            "UPDATE projections SET hold_at = NULL, hold_until = NULL
             WHERE name = $1 AND version = $2",
        )
        .bind(self.projection.name())
        .bind(self.projection.version())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
