use domain::{
    Timestamp,
    ids::{ApiKeyId, OrganizationId},
};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

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
    /// Names of actions, as they were given.
    pub scopes: Vec<String>,
    pub expires_at: Option<Timestamp>,
    /// The limit of its own.
    pub requests_per_minute: Option<u32>,
    pub rotated_at: Option<Timestamp>,
    /// Until when the secret before the present one is taken.
    pub former_valid_until: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// Some seconds behind.
    pub last_used_at: Option<Timestamp>,
}

/// The key that a secret belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundKey {
    pub key: ApiKeyRow,
    /// The secret is the one before the present one.
    pub former: bool,
    /// Position of the last event about the policies of its organisation, 0 when there was none.
    pub policies_position: u64,
}

const KEY: &str = "k.key_id, k.org_id, k.name, k.issued_at, k.platform, k.scopes, k.expires_at,
    k.requests_per_minute, k.rotated_at, k.former_valid_until, k.revoked_at,
    (SELECT u.last_used_at FROM api_key_uses u WHERE u.key_id = k.key_id) AS last_used_at";

/// Whose key has, or had, a secret with this SHA-256 hash, in hexadecimal. It has no scope, since
/// it is what finds the scope of a request.
pub async fn key_by_secret_hash(
    view: &View,
    secret_hash: &str,
) -> Result<Option<FoundKey>, QueryError> {
    let query = format!(
        "SELECT {KEY}, k.secret_hash <> $1 AS former, o.policies_position
         FROM {0}.api_keys k JOIN {0}.organizations o USING (org_id)
         WHERE k.secret_hash = $1 OR k.former_secret_hash = $1",
        view.schema()
    );
    let row = sqlx::query(&query).bind(secret_hash).fetch_optional(&view.pool).await?;
    let found = |row: &PgRow| -> Result<_, sqlx::Error> {
        Ok(FoundKey {
            key: read_key(row)?,
            former: row.try_get("former")?,
            policies_position: row.try_get::<i64, _>("policies_position")? as u64,
        })
    };
    Ok(row.as_ref().map(found).transpose()?)
}

/// One API key; none when the organisation has no such key.
pub async fn key(
    scope: TenantScope,
    view: &View,
    id: ApiKeyId,
) -> Result<Option<ApiKeyRow>, QueryError> {
    let query = format!(
        "SELECT {KEY} FROM {}.api_keys k WHERE k.org_id = $1 AND k.key_id = $2",
        view.schema()
    );
    let query = sqlx::query(&query).bind(scope.0.uuid()).bind(id.uuid());
    let row = query.fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(read_key).transpose()?)
}

/// The API keys of the organisation, newest first, revoked ones included.
pub async fn keys(
    scope: TenantScope,
    view: &View,
    slice: Slice<'_>,
) -> Result<Page<ApiKeyRow>, QueryError> {
    let before = match slice.cursor {
        Some(cursor) => from_halves(cursor::decode(List::ApiKeys, cursor)?),
        None => Uuid::max(),
    };
    let query = format!(
        "SELECT {KEY} FROM {}.api_keys k WHERE k.org_id = $1 AND k.key_id < $2
         ORDER BY k.key_id DESC LIMIT $3",
        view.schema()
    );
    let query = sqlx::query(&query).bind(scope.0.uuid()).bind(before).bind(slice.fetch());
    let rows = query.fetch_all(&view.pool).await?;
    let rows = rows.iter().map(read_key).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| {
        cursor::encode(List::ApiKeys, halves(row.key_id.uuid()))
    }))
}

pub(super) fn halves(id: Uuid) -> [i64; 2] {
    let (high, low) = id.as_u64_pair();
    [high.cast_signed(), low.cast_signed()]
}

pub(super) fn from_halves([high, low]: [i64; 2]) -> Uuid {
    Uuid::from_u64_pair(high.cast_unsigned(), low.cast_unsigned())
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

fn read_key(row: &PgRow) -> Result<ApiKeyRow, sqlx::Error> {
    let Json(scopes) = row.try_get("scopes")?;
    Ok(ApiKeyRow {
        key_id: ApiKeyId::from_uuid(row.try_get("key_id")?),
        org: OrganizationId::from_uuid(row.try_get("org_id")?),
        name: row.try_get("name")?,
        issued_at: row.try_get("issued_at")?,
        platform: row.try_get("platform")?,
        scopes,
        expires_at: row.try_get("expires_at")?,
        requests_per_minute: row
            .try_get::<Option<i32>, _>("requests_per_minute")?
            .map(i32::cast_unsigned),
        rotated_at: row.try_get("rotated_at")?,
        former_valid_until: row.try_get("former_valid_until")?,
        revoked_at: row.try_get("revoked_at")?,
        last_used_at: row.try_get("last_used_at")?,
    })
}
