//! Letting another build answer.

use std::time::Duration;

use sqlx::PgPool;

use super::{
    LEVEL_WAIT, RebuildError, compare, known,
    level::{self, Pair},
};
use crate::{Status, projection::Projection};

/// What must hold for another build to answer.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The generation that answers until now; whichever does when none is named.
    pub live: Option<i32>,
    /// How long both builds may take to come to one position.
    pub wait: Duration,
}

/// What to do when the rebuilt rows are not those of the live build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Differences {
    Refuse,
    /// Somebody has looked at them.
    Accept,
}

impl Default for Terms {
    fn default() -> Self {
        Self { live: None, wait: LEVEL_WAIT }
    }
}

/// Lets the build that is ready answer queries from now on. The one before stays as standby.
pub async fn switch(
    pool: &PgPool,
    name: &str,
    differences: Differences,
    terms: Terms,
) -> Result<(), RebuildError> {
    let projection = known(name)?;
    if differences == Differences::Refuse {
        let comparison = compare::with(pool, projection, &[Status::Ready], terms.wait).await?;
        if !comparison.is_same() {
            return Err(RebuildError::Differ { name: projection.name(), comparison });
        }
    }
    exchange(pool, projection, Status::Ready, terms).await
}

/// Lets the build on standby answer queries again. The one before becomes the standby.
pub async fn rollback(pool: &PgPool, name: &str, terms: Terms) -> Result<(), RebuildError> {
    exchange(pool, known(name)?, Status::Standby, terms).await
}

/// Both stand at one position then, so that no reader goes back in time.
async fn exchange(
    pool: &PgPool,
    projection: &'static dyn Projection,
    other: Status,
    terms: Terms,
) -> Result<(), RebuildError> {
    let level = level::hold(pool, projection, &[other], terms.wait).await?;
    let result = async {
        let mut transaction = pool.begin().await?;
        let pair = Pair::lock(&mut transaction, projection, &[other]).await?;
        if !pair.is_level() {
            return Err(RebuildError::NotLevel(projection.name()));
        }
        let live = pair.live.generation;
        if terms.live.is_some_and(|named| named != live) {
            return Err(RebuildError::Moved { name: projection.name(), live });
        }
        sqlx::query(
            "UPDATE projections SET hold_at = NULL, hold_until = NULL, updated_at = now(),
                    status = CASE status WHEN 'live' THEN 'standby' ELSE 'live' END
             WHERE name = $1 AND version = $2 AND generation IN ($3, $4)",
        )
        .bind(projection.name())
        .bind(projection.version())
        .bind(live)
        .bind(pair.other.generation)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    };
    let result = result.await;
    if result.is_err() {
        level.release().await?;
    }
    result
}
