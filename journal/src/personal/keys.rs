use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use domain::Timestamp;
use quick_cache::sync::Cache;
use sqlx::{PgPool, Row};
use tokio::time::Instant;
use uuid::Uuid;
use vault::{
    Access, DataKey, InstallationSecret, KeyRing, KeySource, MasterId, Owner, UnwrapError, Wrapped,
};

use super::{PersonalError, installation};

/// How long a key is used before it is looked for again, and so how long an erased person may stay
/// readable to a replica.
pub const KEPT: Duration = Duration::from_millis(500);
/// Keys in memory; those of people who are busy right now.
const KEYS: usize = 4096;

/// The keys of people, unwrapped as they are needed.
pub(crate) struct Keys {
    pool: PgPool,
    ring: RwLock<Arc<KeyRing>>,
    /// Where it is looked for master keys that are not in the ring.
    source: OnceLock<KeySource>,
    installation: InstallationSecret,
    known: Cache<Uuid, Known>,
}

#[derive(Clone)]
struct Known {
    access: Arc<Access>,
    until: Instant,
}

impl Keys {
    pub async fn open(pool: PgPool, ring: KeyRing, now: Timestamp) -> Result<Self, PersonalError> {
        let installation = installation::load_or_make(&pool, &ring, now).await?;
        let ring = RwLock::new(Arc::new(ring));
        let (source, known) = (OnceLock::new(), Cache::new(KEYS));
        Ok(Self { pool, ring, source, installation, known })
    }

    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn use_ring(&self, ring: KeyRing) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    pub fn follow(&self, source: KeySource) {
        let _only_once = self.source.set(source);
    }

    /// Looks at the source again. What is in use stays when it cannot be read.
    pub fn look_again(&self) {
        let Some(source) = self.source.get() else { return };
        match source.ring() {
            Ok(ring) => {
                let before = self.ring();
                if ring.current() != before.current() || !ring.ids().eq(before.ids()) {
                    tracing::info!(current = %ring.current(), "the master keys have changed");
                    self.use_ring(ring);
                }
            }
            Err(error) => tracing::warn!(%error, "the master keys are those of a moment ago"),
        }
    }

    pub const fn installation(&self) -> &InstallationSecret {
        &self.installation
    }

    /// None when the person never had a key.
    pub async fn access(&self, subject: Uuid) -> Result<Option<Arc<Access>>, PersonalError> {
        if let Some(known) = self.known.get(&subject)
            && Instant::now() < known.until
        {
            return Ok(Some(known.access));
        }
        // From before the question: an erasure that the answer does not show yet is younger.
        let until = Instant::now() + KEPT;
        let row = sqlx::query("SELECT wrapped_key FROM subject_keys WHERE subject = $1")
            .bind(subject)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let access = match row.try_get::<Option<Vec<u8>>, _>("wrapped_key")? {
            Some(bytes) => Access::Key(self.unwrap(subject, &bytes)?),
            None => Access::Erased,
        };
        let access = Arc::new(access);
        self.known.insert(subject, Known { access: Arc::clone(&access), until });
        Ok(Some(access))
    }

    /// The same, with a new key for whoever has none.
    pub async fn access_or_make(
        &self,
        subject: Uuid,
        now: Timestamp,
    ) -> Result<Arc<Access>, PersonalError> {
        if let Some(access) = self.access(subject).await? {
            return Ok(access);
        }
        let wrapped = {
            let mut rng = rand::rng();
            let key = DataKey::generate(&mut rng);
            self.ring().wrap(Owner::Subject(&subject.to_string()), key.key(), &mut rng).to_bytes()
        };
        // Another process may be quicker, and then its key counts.
        sqlx::query(
            "INSERT INTO subject_keys (subject, wrapped_key, created_at) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(subject)
        .bind(wrapped.as_slice())
        .bind(now)
        .execute(&self.pool)
        .await?;
        self.access(subject).await?.ok_or(PersonalError::Missing(subject))
    }

    pub async fn erase(&self, subject: Uuid, now: Timestamp) -> Result<bool, PersonalError> {
        let erased = sqlx::query(
            "INSERT INTO subject_keys AS k (subject, created_at, erased_at) VALUES ($1, $2, $2)
             ON CONFLICT (subject) DO UPDATE SET wrapped_key = NULL, erased_at = $2
             WHERE k.erased_at IS NULL",
        )
        .bind(subject)
        .bind(now)
        .execute(&self.pool)
        .await?;
        self.known.remove(&subject);
        Ok(erased.rows_affected() > 0)
    }

    pub async fn rewrap(&self, limit: u32) -> Result<u64, PersonalError> {
        let ring = self.ring();
        let mut done = u64::from(installation::rewrap(&self.pool, &ring).await?);
        // Behind the version byte stands the id of the master key.
        let rows = sqlx::query(
            "SELECT subject, wrapped_key FROM subject_keys
             WHERE wrapped_key IS NOT NULL AND substring(wrapped_key FROM 2 FOR 8) <> $1
             LIMIT $2",
        )
        .bind(ring.current().0.as_slice())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        for row in rows {
            let subject: Uuid = row.try_get("subject")?;
            let old: Vec<u8> = row.try_get("wrapped_key")?;
            let wrapped = Wrapped::from_bytes(&old)?;
            let text = subject.to_string();
            let new = ring.rewrap(Owner::Subject(&text), &wrapped, &mut rand::rng())?;
            let Some(new) = new else { continue };
            // A key that was erased meanwhile stays so.
            let written = sqlx::query(
                "UPDATE subject_keys SET wrapped_key = $1 WHERE subject = $2 AND wrapped_key = $3",
            )
            .bind(new.to_bytes().as_slice())
            .bind(subject)
            .bind(old)
            .execute(&self.pool)
            .await?;
            done += written.rows_affected();
        }
        Ok(done)
    }

    /// How many keys each master key wraps.
    pub async fn count(&self) -> Result<BTreeMap<MasterId, u64>, PersonalError> {
        let rows = sqlx::query(
            "SELECT master, count(*) AS keys FROM (
                 SELECT substring(wrapped_key FROM 2 FOR 8) AS master FROM subject_keys
                 WHERE wrapped_key IS NOT NULL
                 UNION ALL SELECT substring(wrapped_key FROM 2 FOR 8) FROM installation_secret
             ) AS wrapped GROUP BY master",
        )
        .fetch_all(&self.pool)
        .await?;
        let mut counts = BTreeMap::new();
        for row in rows {
            let master: Vec<u8> = row.try_get("master")?;
            let master = master.try_into().map_err(|_| UnwrapError::Malformed)?;
            counts.insert(MasterId(master), row.try_get::<i64, _>("keys")? as u64);
        }
        Ok(counts)
    }

    /// A key under a master key that is not known may have been wrapped a moment ago by a process that
    /// knows more.
    fn unwrap(&self, subject: Uuid, bytes: &[u8]) -> Result<DataKey, PersonalError> {
        let (wrapped, text) = (Wrapped::from_bytes(bytes)?, subject.to_string());
        let unwrap = || self.ring().unwrap(Owner::Subject(&text), &wrapped);
        let key = match unwrap() {
            Err(UnwrapError::UnknownMaster(_)) => {
                self.look_again();
                unwrap()
            }
            other => other,
        };
        Ok(DataKey::new(key?))
    }
}
