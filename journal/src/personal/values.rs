use vault::Place;
use zeroize::Zeroizing;

use super::PersonalError;
use crate::Journal;

impl Journal {
    /// A secret of the installation under a name, made by `make` when there is none. Of processes that
    /// make it at the same time, all get the same.
    pub async fn stored_secret(
        &self,
        name: &'static str,
        make: impl FnOnce() -> Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, PersonalError> {
        let place = Place { subject: "installation", event: "", field: name };
        let key = self.secret()?.data_key(name);
        if let Some(text) = self.stored_text(name).await? {
            return Ok(key.open(&place, &text)?);
        }
        let sealed = key.seal(&place, &make(), &mut rand::rng())?;
        sqlx::query(
            "INSERT INTO installation_values (name, sealed, created_at) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(name)
        .bind(sealed)
        .bind(self.inner.clock.now())
        .execute(&self.inner.pool)
        .await?;
        let text = self.stored_text(name).await?.ok_or(sqlx::Error::RowNotFound)?;
        Ok(key.open(&place, &text)?)
    }

    /// Seals a secret that an event about something holds, under a key of the installation.
    pub fn seal_value(
        &self,
        name: &'static str,
        about: &str,
        value: &[u8],
    ) -> Result<String, PersonalError> {
        let place = Place { subject: "installation", event: about, field: name };
        Ok(self.secret()?.data_key(name).seal(&place, value, &mut rand::rng())?)
    }

    /// Opens it, as what it was sealed for.
    pub fn open_value(
        &self,
        name: &'static str,
        about: &str,
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, PersonalError> {
        let place = Place { subject: "installation", event: about, field: name };
        Ok(self.secret()?.data_key(name).open(&place, sealed)?)
    }

    /// Changes it, unless `change` gives none; gives whether it was changed. When another process changes it
    /// at the same time, `change` is asked again.
    pub async fn change_secret(
        &self,
        name: &'static str,
        mut change: impl FnMut(&[u8]) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Result<bool, PersonalError> {
        let place = Place { subject: "installation", event: "", field: name };
        let key = self.secret()?.data_key(name);
        loop {
            let text = self.stored_text(name).await?.ok_or(sqlx::Error::RowNotFound)?;
            let Some(changed) = change(&key.open(&place, &text)?) else { return Ok(false) };
            let sealed = key.seal(&place, &changed, &mut rand::rng())?;
            let written = sqlx::query(
                "UPDATE installation_values SET sealed = $1 WHERE name = $2 AND sealed = $3",
            )
            .bind(sealed)
            .bind(name)
            .bind(text)
            .execute(&self.inner.pool)
            .await?;
            if written.rows_affected() > 0 {
                return Ok(true);
            }
        }
    }

    async fn stored_text(&self, name: &str) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar("SELECT sealed FROM installation_values WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.inner.pool)
            .await
    }

    /// The id of the aggregate that holds a claim now.
    pub async fn claimed_by(&self, kind: &str, key: &str) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar("SELECT aggregate_id FROM claims WHERE kind = $1 AND key = $2")
            .bind(kind)
            .bind(key)
            .fetch_optional(&self.inner.pool)
            .await
    }
}
