use domain::{
    Timestamp,
    ids::{ApiKeyId, OrganizationId},
};
use sqlx::{Row, postgres::PgRow};

use crate::{
    Page, QueryError, Slice, TenantScope, View,
    cursor::{self, List},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationRow {
    pub org: OrganizationId,
    pub name: String,
    pub slug: String,
    pub created_at: Timestamp,
    /// Position of the event that made it.
    pub position: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRow {
    pub key_id: ApiKeyId,
    pub org: OrganizationId,
    pub name: String,
    pub issued_at: Timestamp,
    /// It may do what concerns the whole installation.
    pub platform: bool,
    pub revoked: bool,
}

const KEY: &str = "key_id, org_id, name, issued_at, platform, revoked_at IS NOT NULL AS revoked";

/// Whose key has a secret with this SHA-256 hash, in hexadecimal. It has no scope, since it is what
/// finds the scope of a request.
pub async fn key_by_secret_hash(
    view: &View,
    secret_hash: &str,
) -> Result<Option<ApiKeyRow>, QueryError> {
    let query = format!("SELECT {KEY} FROM {}.api_keys WHERE secret_hash = $1", view.schema());
    let row = sqlx::query(&query).bind(secret_hash).fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(key).transpose()?)
}

/// The organisation itself; none when it is not in the view.
pub async fn get(scope: TenantScope, view: &View) -> Result<Option<OrganizationRow>, QueryError> {
    let query = format!(
        "SELECT org_id, name, slug, created_at, position FROM {}.organizations WHERE org_id = $1",
        view.schema()
    );
    let row = sqlx::query(&query).bind(scope.0.uuid()).fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(organization).transpose()?)
}

/// The newest API keys of the organisation, revoked ones included; at most `limit`.
pub async fn keys(
    scope: TenantScope,
    view: &View,
    limit: u32,
) -> Result<Vec<ApiKeyRow>, QueryError> {
    let query = format!(
        "SELECT {KEY} FROM {}.api_keys WHERE org_id = $1 ORDER BY key_id DESC LIMIT $2",
        view.schema()
    );
    let rows = sqlx::query(&query)
        .bind(scope.0.uuid())
        .bind(i64::from(limit))
        .fetch_all(&view.pool)
        .await?;
    Ok(rows.iter().map(key).collect::<Result<_, _>>()?)
}

/// All organisations, oldest first: for operators.
pub async fn list(view: &View, slice: Slice<'_>) -> Result<Page<OrganizationRow>, QueryError> {
    let [after] = match slice.cursor {
        Some(cursor) => cursor::decode(List::Organizations, cursor)?,
        None => [0],
    };
    let query = format!(
        "SELECT org_id, name, slug, created_at, position FROM {}.organizations
         WHERE position > $1 ORDER BY position LIMIT $2",
        view.schema()
    );
    let rows = sqlx::query(&query).bind(after).bind(slice.fetch()).fetch_all(&view.pool).await?;
    let rows = rows.iter().map(organization).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| {
        cursor::encode(List::Organizations, [row.position as i64])
    }))
}

fn organization(row: &PgRow) -> Result<OrganizationRow, sqlx::Error> {
    Ok(OrganizationRow {
        org: OrganizationId::from_uuid(row.try_get("org_id")?),
        name: row.try_get("name")?,
        slug: row.try_get("slug")?,
        created_at: row.try_get("created_at")?,
        position: row.try_get::<i64, _>("position")? as u64,
    })
}

fn key(row: &PgRow) -> Result<ApiKeyRow, sqlx::Error> {
    Ok(ApiKeyRow {
        key_id: ApiKeyId::from_uuid(row.try_get("key_id")?),
        org: OrganizationId::from_uuid(row.try_get("org_id")?),
        name: row.try_get("name")?,
        issued_at: row.try_get("issued_at")?,
        platform: row.try_get("platform")?,
        revoked: row.try_get("revoked")?,
    })
}
