//! Opening a view: which tables answer, and how fresh they are.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sqlx::{PgPool, Row};
use tokio::{sync::watch, time::Instant};

use crate::{PROJECTIONS, projection::Projection};

/// Longest time a read can be asked to wait for a position.
pub const MAX_WAIT: Duration = Duration::from_secs(10);
/// How soon the checkpoint is looked at again when no projector runs in this process.
const FIRST_POLL: Duration = Duration::from_millis(10);
const SLOWEST_POLL: Duration = Duration::from_millis(100);

/// Opens views. Cheap to clone.
#[derive(Clone)]
pub struct Views {
    pool: PgPool,
    progress: Arc<BTreeMap<&'static str, Progress>>,
}

/// What readers and the projector of one process tell each other about a view.
#[derive(Default)]
struct Progress {
    /// Moved by the projector, if there is one in this process.
    position: watch::Sender<u64>,
    /// Rung by a read that begins to wait.
    hurry: watch::Sender<()>,
}

/// The live tables of one read model.
#[derive(Debug, Clone)]
pub struct View {
    pub(crate) pool: PgPool,
    schema: String,
    position: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    #[error("the view has reached position {position}, not yet the one that was asked for")]
    Stale { position: u64 },
    #[error("the view {name} is not built yet")]
    NotBuilt { name: &'static str },
    #[error("the database of the views failed")]
    Database(#[from] sqlx::Error),
}

impl Views {
    pub fn new(pool: PgPool) -> Self {
        let progress = PROJECTIONS.iter().map(|p| (p.name(), Progress::default())).collect();
        Self { pool, progress: Arc::new(progress) }
    }

    /// The live generation of the code's version of the view called `name` (a module's `NAME`).
    ///
    /// With `min_position` it waits until the view has reached it, at most `wait` (itself at most
    /// [`MAX_WAIT`]).
    pub async fn open(
        &self,
        name: &'static str,
        min_position: Option<u64>,
        wait: Duration,
    ) -> Result<View, ViewError> {
        let found = PROJECTIONS.iter().find(|projection| projection.name() == name);
        let (Some(projection), Some(progress)) = (found, self.progress.get(name)) else {
            return Err(ViewError::NotBuilt { name });
        };
        let mut moved = progress.position.subscribe();
        let min_position = min_position.unwrap_or(0);
        let mut rung = false;
        let deadline = Instant::now() + wait.min(MAX_WAIT);
        let mut poll = FIRST_POLL;
        loop {
            // Only what moves after this look is waited for.
            moved.mark_unchanged();
            let Some(view) = self.live(*projection).await? else {
                return Err(ViewError::NotBuilt { name });
            };
            if view.position >= min_position {
                return Ok(view);
            }
            if !std::mem::replace(&mut rung, true) {
                progress.hurry.send_replace(());
            }
            if Instant::now() >= deadline {
                return Err(ViewError::Stale { position: view.position });
            }
            let next = (Instant::now() + poll).min(deadline);
            poll = (poll * 2).min(SLOWEST_POLL);
            // Without a projector in this process it never changes, and `next` is what counts.
            let _ = tokio::time::timeout_at(next, moved.changed()).await;
        }
    }

    async fn live(&self, projection: &dyn Projection) -> Result<Option<View>, sqlx::Error> {
        let row = sqlx::query(
            "SELECT schema_name, position FROM projections
             WHERE name = $1 AND version = $2 AND status = 'live'",
        )
        .bind(projection.name())
        .bind(projection.version())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(View {
            pool: self.pool.clone(),
            schema: row.try_get("schema_name")?,
            position: row.try_get::<i64, _>("position")? as u64,
        }))
    }

    /// The live generation of `name` has reached `position`.
    pub(crate) fn announce(&self, name: &str, position: u64) {
        if let Some(progress) = self.progress.get(name) {
            progress.position.send_replace(position);
        }
    }

    /// Changes when a read of this process begins to wait for `name` to move.
    pub(crate) fn hurry(&self, name: &str) -> watch::Receiver<()> {
        self.progress.get(name).map_or_else(|| watch::channel(()).1, |p| p.hurry.subscribe())
    }
}

impl View {
    /// The Postgres schema that holds the tables.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The view holds everything up to here, and maybe more.
    pub fn position(&self) -> u64 {
        self.position
    }
}
