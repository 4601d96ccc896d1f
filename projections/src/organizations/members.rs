use domain::{Timestamp, ids::UserId, organizations::Role};
use sqlx::{Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::query::{OrganizationRow, from_halves, halves, organization};
use crate::{
    Page, QueryError, Slice, TenantScope, View,
    cursor::{self, List},
    query::unreadable,
};

/// What somebody is in an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub role: Role,
    /// Names of actions on top of the role.
    pub permissions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    pub user: UserId,
    pub standing: Standing,
    pub joined_at: Timestamp,
}

/// An organisation, as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub organization: OrganizationRow,
    pub member: MemberRow,
    /// Position of the last event about the policies of the organisation, 0 when there was none.
    pub policies_position: u64,
}

const MEMBER: &str = "m.user_id, m.role, m.permissions, m.joined_at";

/// The organisations that a user is a member of, oldest membership first; at most `limit`. It has no
/// scope, since it is what finds the scope of a request.
pub async fn memberships(
    view: &View,
    user: UserId,
    limit: u32,
) -> Result<Vec<Membership>, QueryError> {
    let query = format!(
        "SELECT {MEMBER}, o.org_id, o.name, o.slug, o.logo_url, o.created_at, o.archived_at,
                o.suspended_at, o.suspension_reason, o.position, o.version, o.policies_position
         FROM {0}.members m JOIN {0}.organizations o USING (org_id)
         WHERE m.user_id = $1 ORDER BY m.joined_at, m.org_id LIMIT $2",
        view.schema()
    );
    let rows =
        sqlx::query(&query).bind(user.uuid()).bind(i64::from(limit)).fetch_all(&view.pool).await?;
    let membership = |row: &PgRow| -> Result<_, sqlx::Error> {
        Ok(Membership {
            organization: organization(row)?,
            member: read(row)?,
            policies_position: row.try_get::<i64, _>("policies_position")? as u64,
        })
    };
    Ok(rows.iter().map(membership).collect::<Result<_, _>>()?)
}

/// Position of the last event about the policies of the organisation, 0 when there was none.
pub async fn policies_position(scope: TenantScope, view: &View) -> Result<u64, QueryError> {
    let query =
        format!("SELECT policies_position FROM {}.organizations WHERE org_id = $1", view.schema());
    let query = sqlx::query_scalar::<_, i64>(&query).bind(scope.0.uuid());
    Ok(query.fetch_optional(&view.pool).await?.unwrap_or(0) as u64)
}

/// One member; none when the organisation has no such member.
pub async fn member(
    scope: TenantScope,
    view: &View,
    user: UserId,
) -> Result<Option<MemberRow>, QueryError> {
    let query = format!(
        "SELECT {MEMBER} FROM {}.members m WHERE m.org_id = $1 AND m.user_id = $2",
        view.schema()
    );
    let query = sqlx::query(&query).bind(scope.0.uuid()).bind(user.uuid());
    let row = query.fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// The members of the organisation, in the order in which their accounts were made.
pub async fn members(
    scope: TenantScope,
    view: &View,
    slice: Slice<'_>,
) -> Result<Page<MemberRow>, QueryError> {
    let after = match slice.cursor {
        Some(cursor) => from_halves(cursor::decode(List::Members, cursor)?),
        None => Uuid::nil(),
    };
    let query = format!(
        "SELECT {MEMBER} FROM {}.members m WHERE m.org_id = $1 AND m.user_id > $2
         ORDER BY m.user_id LIMIT $3",
        view.schema()
    );
    let query = sqlx::query(&query).bind(scope.0.uuid()).bind(after).bind(slice.fetch());
    let rows = query.fetch_all(&view.pool).await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| cursor::encode(List::Members, halves(row.user.uuid()))))
}

fn read(row: &PgRow) -> Result<MemberRow, sqlx::Error> {
    Ok(MemberRow {
        user: UserId::from_uuid(row.try_get("user_id")?),
        standing: standing(row)?.ok_or(sqlx::Error::RowNotFound)?,
        joined_at: row.try_get("joined_at")?,
    })
}

/// None where the row was joined with no member.
pub(super) fn standing(row: &PgRow) -> Result<Option<Standing>, sqlx::Error> {
    let Some(role) = row.try_get::<Option<&str>, _>("role")? else { return Ok(None) };
    let role = Role::parse(role).ok_or_else(|| unreadable("role", role))?;
    let Json(permissions) = row.try_get("permissions")?;
    Ok(Some(Standing { role, permissions }))
}
