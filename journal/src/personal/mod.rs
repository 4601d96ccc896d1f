//! Personal data: sealed before it is appended, opened for whoever may see it, erased with its key.
//!
//! Keys of people are kept in memory for [`keys::KEPT`] at most, so that an erased person is unreadable
//! on every replica soon after. Nothing that was opened is kept.

mod error;
mod installation;
mod keys;
pub mod origin;
mod seal;
mod values;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::Pii;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::{Access, KeyRing, KeySource, MasterId, Opened, Place};

pub use error::PersonalError;
pub(crate) use keys::Keys;

use crate::Journal;

/// A process wraps under a former master key for so long after another was put before it.
pub const MASTER_KEYS_FRESH: Duration = Duration::from_secs(2);

/// What is left of a personal value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Personal<T> {
    Known(T),
    /// The person was erased, and the value can never be read again.
    Erased,
}

impl<T> Personal<T> {
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Erased => None,
        }
    }
}

impl Journal {
    fn keys(&self) -> Result<&Arc<Keys>, PersonalError> {
        self.inner.keys.as_ref().ok_or(PersonalError::NoKeys)
    }

    /// The secret of the installation.
    pub fn secret(&self) -> Result<&vault::InstallationSecret, PersonalError> {
        Ok(self.keys()?.installation())
    }

    /// Opens a value of the field `name` that was sealed for a person. Whoever calls this has checked
    /// that the value may be seen.
    pub async fn open_personal<T>(
        &self,
        subject: Uuid,
        name: &str,
        value: &Pii<T>,
    ) -> Result<Personal<T>, PersonalError>
    where
        T: DeserializeOwned,
    {
        let sealed = value.as_sealed().ok_or(PersonalError::NotSealed)?;
        let access = self.keys()?.access(subject).await?.ok_or(PersonalError::Missing(subject))?;
        let place =
            Place { subject: &subject.to_string(), event: &sealed.event.to_string(), field: name };
        match access.open(&place, &sealed.text)? {
            Opened::Plain(json) => Ok(Personal::Known(serde_json::from_slice(&json)?)),
            Opened::Erased => Ok(Personal::Erased),
        }
    }

    /// Destroys the key of a person: every value that was sealed for them is unreadable in every
    /// process within a second. Gives whether there was one to destroy.
    pub async fn erase_person(&self, subject: Uuid) -> Result<bool, PersonalError> {
        self.keys()?.erase(subject, self.inner.clock.now()).await
    }

    /// Whether the person's key was destroyed.
    pub async fn is_erased(&self, subject: Uuid) -> Result<bool, PersonalError> {
        let access = self.keys()?.access(subject).await?;
        Ok(access.is_some_and(|access| matches!(*access, Access::Erased)))
    }

    /// Looks where the master keys come from whether there are others, until told to stop. Until then
    /// they are those that the log was opened with.
    pub async fn follow_master_keys(&self, source: KeySource, stop: CancellationToken) {
        let Ok(keys) = self.keys() else { return };
        keys.follow(source);
        while stop.run_until_cancelled(tokio::time::sleep(MASTER_KEYS_FRESH)).await.is_some() {
            keys.look_again();
        }
    }

    pub fn use_master_keys(&self, ring: KeyRing) -> Result<(), PersonalError> {
        self.keys()?.use_ring(ring);
        Ok(())
    }

    /// The master keys at hand, and how many keys each one wraps.
    pub async fn master_keys(
        &self,
    ) -> Result<(Arc<KeyRing>, BTreeMap<MasterId, u64>), PersonalError> {
        let keys = self.keys()?;
        Ok((keys.ring(), keys.count().await?))
    }

    /// Wraps keys that an older master key still wraps under the current one, at most `limit` of people;
    /// gives how many. All are done when it gives 0. Readers and writers need not stop for it.
    pub async fn rewrap_keys(&self, limit: u32) -> Result<u64, PersonalError> {
        self.keys()?.rewrap(limit).await
    }
}
