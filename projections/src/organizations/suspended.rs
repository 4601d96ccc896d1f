//! Who is suspended: for the house.

use domain::ids::{ApiKeyId, OrganizationId, UserId};
use uuid::Uuid;

use crate::{QueryError, View};

/// Suspended organisations in the order of their ids, those behind `after`, at most `limit`.
pub async fn suspended_organizations(
    view: &View,
    after: Uuid,
    limit: u32,
) -> Result<Vec<OrganizationId>, QueryError> {
    let query = format!(
        "SELECT org_id FROM {}.organizations
         WHERE suspended_at IS NOT NULL AND org_id > $1 ORDER BY org_id LIMIT $2",
        view.schema()
    );
    let query = sqlx::query_scalar::<_, Uuid>(&query).bind(after).bind(i64::from(limit));
    let found = query.fetch_all(&view.pool).await?;
    Ok(found.into_iter().map(OrganizationId::from_uuid).collect())
}

/// People whose accounts are suspended, likewise.
pub async fn suspended_users(
    view: &View,
    after: Uuid,
    limit: u32,
) -> Result<Vec<UserId>, QueryError> {
    let query = format!(
        "SELECT user_id FROM {}.suspended_users WHERE user_id > $1 ORDER BY user_id LIMIT $2",
        view.schema()
    );
    let query = sqlx::query_scalar::<_, Uuid>(&query).bind(after).bind(i64::from(limit));
    let found = query.fetch_all(&view.pool).await?;
    Ok(found.into_iter().map(UserId::from_uuid).collect())
}

/// Every key that these people issued, with its issuer, in whatever organisation.
pub async fn keys_of_all(
    view: &View,
    issuers: &[UserId],
) -> Result<Vec<(ApiKeyId, UserId)>, QueryError> {
    let query =
        format!("SELECT key_id, issuer FROM {}.api_keys WHERE issuer = ANY ($1)", view.schema());
    let issuers: Vec<_> = issuers.iter().map(|issuer| issuer.uuid()).collect();
    let query = sqlx::query_as::<_, (Uuid, Uuid)>(&query).bind(issuers);
    let found = query.fetch_all(&view.pool).await?;
    let known = found.into_iter();
    Ok(known.map(|(key, user)| (ApiKeyId::from_uuid(key), UserId::from_uuid(user))).collect())
}
