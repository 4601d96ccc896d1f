//! Folding an aggregate from its snapshot and its events.

use cqrs_es::persist::PersistedEventRepository;
use domain::{Decide, event::DecodeError};
use futures::TryStreamExt;
use postgres_es::PostgresEventRepository;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::{Payload, append::Fate};

/// An aggregate as it stood at a version.
#[derive(Debug, Clone)]
pub(crate) struct Loaded<A> {
    pub state: A,
    /// Sequence of its last event; 0 when it has none.
    pub version: u64,
    /// Of the append of its last event, which gives its position.
    pub fate: Fate,
    /// Whose it is; none when it has no event yet.
    pub org: Option<Uuid>,
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the log's database failed")]
    Database(#[from] sqlx::Error),
    #[error("the events of {aggregate_type} {aggregate_id} could not be read")]
    Repository { aggregate_type: &'static str, aggregate_id: String, source: RepositoryError },
    #[error("event {sequence} of {aggregate_type} {aggregate_id} could not be read")]
    Decode {
        aggregate_type: &'static str,
        aggregate_id: String,
        sequence: u64,
        source: DecodeError,
    },
    #[error(
        "after event {after} of {aggregate_type} {aggregate_id} comes {found}; the log is corrupt"
    )]
    Hole { aggregate_type: &'static str, aggregate_id: String, after: u64, found: u64 },
}

type RepositoryError = cqrs_es::persist::PersistenceError;

impl<A: Decide> Loaded<A> {
    pub(crate) fn empty() -> Self {
        Self { state: A::default(), version: 0, fate: Fate::appended(0), org: None }
    }

    fn apply(
        &mut self,
        id: &str,
        sequence: u64,
        event_type: &str,
        event_version: &str,
        payload: &str,
    ) -> Result<(), LoadError> {
        if sequence != self.version + 1 {
            return Err(LoadError::Hole {
                aggregate_type: A::TYPE,
                aggregate_id: id.to_owned(),
                after: self.version,
                found: sequence,
            });
        }
        let version = event_version.parse().unwrap_or(0);
        let events = domain::event::decode_as::<A::Event>(event_type, version, payload).map_err(
            |source| LoadError::Decode {
                aggregate_type: A::TYPE,
                aggregate_id: id.to_owned(),
                sequence,
                source,
            },
        )?;
        for event in &events {
            self.state.evolve(event);
        }
        self.version = sequence;
        Ok(())
    }
}

/// Loads from the newest usable snapshot on. Of another organisation's aggregate nothing but whose it
/// is.
pub(crate) async fn load<A: Decide>(
    pool: &PgPool,
    org: Uuid,
    id: &str,
) -> Result<Loaded<A>, LoadError> {
    let mut loaded = from_snapshot(pool, id).await?.unwrap_or_else(Loaded::empty);
    catch_up(pool, org, id, &mut loaded).await?;
    Ok(loaded)
}

/// Loads by folding every event, whatever snapshots there are.
pub(crate) async fn replay<A: Decide>(
    pool: &PgPool,
    id: &str,
    up_to_version: u64,
) -> Result<Loaded<A>, LoadError> {
    let repository = PostgresEventRepository::new(pool.clone());
    let stored = repository.get_events::<A>(id).await.map_err(|source| LoadError::Repository {
        aggregate_type: A::TYPE,
        aggregate_id: id.to_owned(),
        source,
    })?;
    let mut loaded = Loaded::empty();
    for event in stored {
        let sequence = event.sequence as u64;
        if sequence > up_to_version {
            break;
        }
        let payload = event.payload.to_string();
        loaded.apply(id, sequence, &event.event_type, &event.event_version, &payload)?;
    }
    Ok(loaded)
}

async fn from_snapshot<A: Decide>(
    pool: &PgPool,
    id: &str,
) -> Result<Option<Loaded<A>>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT s.sequence, s.state, e.position, e.org_id FROM snapshots s
         JOIN events e USING (aggregate_type, aggregate_id, sequence)
         WHERE s.aggregate_type = $1 AND s.aggregate_id = $2 AND s.state_version = $3",
    )
    .bind(A::TYPE)
    .bind(id)
    .bind(A::STATE_VERSION as i32)
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let state: serde_json::Value = row.try_get("state")?;
    // A snapshot is only a shortcut: one that cannot be read is passed over, not an error.
    let Ok(state) = serde_json::from_value(state) else { return Ok(None) };
    Ok(Some(Loaded {
        state,
        version: row.try_get::<i64, _>("sequence")? as u64,
        fate: Fate::appended(row.try_get::<i64, _>("position")? as u64),
        org: row.try_get("org_id")?,
    }))
}

/// Folds the events after the version that is already loaded; gives whether there were any.
pub(crate) async fn catch_up<A: Decide>(
    pool: &PgPool,
    org: Uuid,
    id: &str,
    loaded: &mut Loaded<A>,
) -> Result<bool, LoadError> {
    let mut rows = sqlx::query(
        "SELECT sequence, event_type, event_version, payload, position, org_id FROM events
         WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3
         ORDER BY sequence",
    )
    .bind(A::TYPE)
    .bind(id)
    .bind(loaded.version as i64)
    .fetch(pool);
    let before = loaded.version;
    let mut position: Option<i64> = None;
    while let Some(row) = rows.try_next().await? {
        let owner: Uuid = row.try_get("org_id")?;
        loaded.org = Some(owner);
        // Nobody is told what is wrong with another's.
        if owner != org {
            break;
        }
        let sequence: i64 = row.try_get("sequence")?;
        let event_type: String = row.try_get("event_type")?;
        let event_version: String = row.try_get("event_version")?;
        let payload: Payload = row.try_get("payload")?;
        loaded.apply(id, sequence as u64, &event_type, &event_version, payload.get())?;
        position = Some(row.try_get("position")?);
    }
    if let Some(position) = position {
        loaded.fate = Fate::appended(position as u64);
    }
    Ok(loaded.version > before)
}

/// Keeps the state as the newest snapshot, unless a newer one is there. Nothing rests on it, so nobody's
/// commit waits until it is on disk: one that is lost in a crash is made again.
pub(crate) async fn save_snapshot<A: Decide>(
    pool: &PgPool,
    id: &str,
    loaded: &Loaded<A>,
) -> Result<(), SnapshotError> {
    let json = serde_json::to_value(&loaded.state)?;
    sqlx::query(
        "INSERT INTO snapshots AS s (aggregate_type, aggregate_id, sequence, state_version, state)
         SELECT $1, $2, $3, $4, $5 FROM set_config('synchronous_commit', 'off', true)
         ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE
         SET sequence = excluded.sequence, state_version = excluded.state_version,
             state = excluded.state
         WHERE s.sequence < excluded.sequence OR s.state_version <> excluded.state_version",
    )
    .bind(A::TYPE)
    .bind(id)
    .bind(loaded.version as i64)
    .bind(A::STATE_VERSION as i32)
    .bind(json)
    .execute(pool)
    .await?;
    Ok(())
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("the state could not be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("the log's database failed")]
    Database(#[from] sqlx::Error),
}
