use std::{sync::Arc, time::Duration};

use domain::Timestamp;
use quick_cache::sync::Cache;
use sqlx::{PgPool, Row};
use tokio::time::Instant;
use uuid::Uuid;
use vault::{Access, DataKey, InstallationSecret, KeyRing, Owner, Wrapped};

use super::{PersonalError, installation};

/// How long a key is used before it is looked for again, and so how long an erased person may stay
/// readable to a replica.
pub const KEPT: Duration = Duration::from_millis(500);
/// Keys in memory; those of people who are busy right now.
const KEYS: usize = 4096;

/// The keys of people, unwrapped as they are needed.
pub(crate) struct Keys {
    pool: PgPool,
    ring: KeyRing,
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
        Ok(Self { pool, ring, installation, known: Cache::new(KEYS) })
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
            self.ring.wrap(Owner::Subject(&subject.to_string()), key.key(), &mut rng).to_bytes()
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
        let mut done = u64::from(installation::rewrap(&self.pool, &self.ring).await?);
        // Behind the version byte stands the id of the master key.
        let rows = sqlx::query(
            "SELECT subject, wrapped_key FROM subject_keys
             WHERE wrapped_key IS NOT NULL AND substring(wrapped_key FROM 2 FOR 8) <> $1
             LIMIT $2",
        )
        .bind(self.ring.current().0.as_slice())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        for row in rows {
            let subject: Uuid = row.try_get("subject")?;
            let old: Vec<u8> = row.try_get("wrapped_key")?;
            let wrapped = Wrapped::from_bytes(&old)?;
            let text = subject.to_string();
            let new = self.ring.rewrap(Owner::Subject(&text), &wrapped, &mut rand::rng())?;
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

    fn unwrap(&self, subject: Uuid, bytes: &[u8]) -> Result<DataKey, PersonalError> {
        let wrapped = Wrapped::from_bytes(bytes)?;
        Ok(DataKey::new(self.ring.unwrap(Owner::Subject(&subject.to_string()), &wrapped)?))
    }
}
