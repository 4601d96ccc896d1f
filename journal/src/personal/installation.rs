use domain::Timestamp;
use sqlx::PgPool;
use vault::{InstallationSecret, Key, KeyRing, Owner, Wrapped};

use super::PersonalError;

/// The secret of this installation, which is made when there is none. Of processes that start at the
/// same time, all get the same.
pub async fn load_or_make(
    pool: &PgPool,
    ring: &KeyRing,
    now: Timestamp,
) -> Result<InstallationSecret, PersonalError> {
    if let Some(secret) = load(pool, ring).await? {
        return Ok(secret);
    }
    let wrapped = {
        let mut rng = rand::rng();
        let key = Key::generate(&mut rng);
        ring.wrap(Owner::Installation, &key, &mut rng).to_bytes()
    };
    sqlx::query(
        "INSERT INTO installation_secret (wrapped_key, created_at) VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
    )
    .bind(wrapped.as_slice())
    .bind(now)
    .execute(pool)
    .await?;
    Ok(load(pool, ring).await?.ok_or(sqlx::Error::RowNotFound)?)
}

async fn load(pool: &PgPool, ring: &KeyRing) -> Result<Option<InstallationSecret>, PersonalError> {
    let Some(bytes) = stored(pool).await? else { return Ok(None) };
    let key = ring.unwrap(Owner::Installation, &Wrapped::from_bytes(&bytes)?)?;
    Ok(Some(InstallationSecret::new(key)))
}

async fn stored(pool: &PgPool) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT wrapped_key FROM installation_secret").fetch_optional(pool).await
}

/// Wraps it under the current master key; gives whether it was not.
pub async fn rewrap(pool: &PgPool, ring: &KeyRing) -> Result<bool, PersonalError> {
    let Some(old) = stored(pool).await? else { return Ok(false) };
    let wrapped = Wrapped::from_bytes(&old)?;
    let Some(new) = ring.rewrap(Owner::Installation, &wrapped, &mut rand::rng())? else {
        return Ok(false);
    };
    sqlx::query("UPDATE installation_secret SET wrapped_key = $1 WHERE wrapped_key = $2")
        .bind(new.to_bytes().as_slice())
        .bind(old)
        .execute(pool)
        .await?;
    Ok(true)
}
