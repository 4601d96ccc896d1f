use domain::{
    Timestamp,
    ids::{ApiKeyId, OrganizationId, UserId},
    organizations::Role,
};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::{
    members::{Standing, standing},
    query::{from_halves, halves},
};
use crate::{
    Page, QueryError, Slice, TenantScope, View,
    cursor::{self, List},
};

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
    /// The member in whose place it acts; none for one that acts in the owner's.
    pub issuer: Option<UserId>,
    /// Of Ed25519, in base64url: requests by the key must be signed.
    pub signing_key: Option<String>,
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
    /// The place in the organisation that it acts in now. None when its issuer is no member any more.
    pub place: Option<Standing>,
    /// Its organisation can be read, and nothing else.
    pub archived: bool,
    /// What an operator suspended, if anything.
    pub hold: Option<Hold>,
    /// Position of the last event about the policies of its organisation, 0 when there was none.
    pub policies_position: u64,
}

/// Why a key is refused for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    Organization,
    /// Whoever issued it.
    Issuer,
}

const KEY: &str = "k.key_id, k.org_id, k.name, k.issued_at, k.platform, k.scopes, k.expires_at,
    k.requests_per_minute, k.issuer, k.signing_key, k.rotated_at, k.former_valid_until, k.revoked_at,
    (SELECT u.last_used_at FROM api_key_uses u WHERE u.key_id = k.key_id) AS last_used_at";

/// Whose key has, or had, a secret with this SHA-256 hash, in hexadecimal. It has no scope, since
/// it is what finds the scope of a request.
pub async fn key_by_secret_hash(
    view: &View,
    secret_hash: &str,
) -> Result<Option<FoundKey>, QueryError> {
    let query = format!(
        "SELECT {KEY}, k.secret_hash <> $1 AS former, o.policies_position,
                o.archived_at IS NOT NULL AS archived, o.suspended_at IS NOT NULL AS suspended,
                EXISTS (SELECT FROM {0}.suspended_users s WHERE s.user_id = k.issuer)
                    AS issuer_suspended, m.role, m.permissions
         FROM {0}.api_keys k JOIN {0}.organizations o USING (org_id)
         LEFT JOIN {0}.members m ON m.org_id = k.org_id AND m.user_id = k.issuer
         WHERE k.secret_hash = $1 OR k.former_secret_hash = $1",
        view.schema()
    );
    let row = sqlx::query(&query).bind(secret_hash).fetch_optional(&view.pool).await?;
    let found = |row: &PgRow| -> Result<_, sqlx::Error> {
        let key = read_key(row)?;
        let place = match key.issuer {
            Some(_) => standing(row)?,
            None => Some(Standing { role: Role::Owner, permissions: Vec::new() }),
        };
        let hold = match (row.try_get("suspended")?, row.try_get("issuer_suspended")?) {
            (true, _) => Some(Hold::Organization),
            (false, true) => Some(Hold::Issuer),
            (false, false) => None,
        };
        Ok(FoundKey {
            key,
            place,
            hold,
            archived: row.try_get("archived")?,
            former: row.try_get("former")?,
            policies_position: row.try_get::<i64, _>("policies_position")? as u64,
        })
    };
    Ok(row.as_ref().map(found).transpose()?)
}

/// Whether it is a key of the platform that can still be used. It has no scope: the platform is none's.
pub async fn is_platform_key(
    view: &View,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<bool, QueryError> {
    let query = format!(
        "SELECT EXISTS (SELECT FROM {}.api_keys WHERE key_id = $1 AND platform
             AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2))",
        view.schema()
    );
    let query = sqlx::query_scalar(&query).bind(id.uuid()).bind(now);
    Ok(query.fetch_one(&view.pool).await?)
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

/// Every key that somebody issued, in whatever organisation. It has no scope: what is looked for is
/// theirs.
pub async fn keys_of(view: &View, issuer: UserId) -> Result<Vec<ApiKeyId>, QueryError> {
    let query = format!("SELECT key_id FROM {}.api_keys WHERE issuer = $1", view.schema());
    let query = sqlx::query_scalar::<_, Uuid>(&query).bind(issuer.uuid());
    let keys = query.fetch_all(&view.pool).await?;
    Ok(keys.into_iter().map(ApiKeyId::from_uuid).collect())
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
        issuer: row.try_get::<Option<Uuid>, _>("issuer")?.map(UserId::from_uuid),
        signing_key: row.try_get("signing_key")?,
        rotated_at: row.try_get("rotated_at")?,
        former_valid_until: row.try_get("former_valid_until")?,
        revoked_at: row.try_get("revoked_at")?,
        last_used_at: row.try_get("last_used_at")?,
    })
}
