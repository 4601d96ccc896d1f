use domain::{
    Pii, Timestamp,
    ids::{InvitationId, OrganizationId, UserId},
};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::{
    members::{Standing, standing},
    query::{from_halves, halves},
};
use crate::{
    Page, QueryError, Slice, TenantScope, View,
    cursor::{self, List},
    users::personal,
};

/// An invitation that waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationRow {
    pub id: InvitationId,
    /// Sealed under the key of the invitation.
    pub email: Pii<String>,
    /// What whoever is invited is to be.
    pub standing: Standing,
    pub inviter: Option<UserId>,
    pub invited_at: Timestamp,
    pub mailed_at: Timestamp,
    pub expires_at: Timestamp,
}

const INVITATION: &str =
    "invitation_id, email, role, permissions, inviter, invited_at, mailed_at, expires_at";

/// One that can be answered at this time; none when the organisation has no such invitation.
pub async fn invitation(
    scope: TenantScope,
    view: &View,
    id: InvitationId,
    now: Timestamp,
) -> Result<Option<InvitationRow>, QueryError> {
    let query = format!(
        "SELECT {INVITATION} FROM {}.invitations
         WHERE org_id = $1 AND invitation_id = $2 AND expires_at > $3",
        view.schema()
    );
    let query = sqlx::query(&query).bind(scope.0.uuid()).bind(id.uuid()).bind(now);
    let row = query.fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Those that can be answered at this time, oldest first.
pub async fn invitations(
    scope: TenantScope,
    view: &View,
    now: Timestamp,
    slice: Slice<'_>,
) -> Result<Page<InvitationRow>, QueryError> {
    let after = match slice.cursor {
        Some(cursor) => from_halves(cursor::decode(List::Invitations, cursor)?),
        None => Uuid::nil(),
    };
    let query = format!(
        "SELECT {INVITATION} FROM {}.invitations
         WHERE org_id = $1 AND invitation_id > $2 AND expires_at > $3
         ORDER BY invitation_id LIMIT $4",
        view.schema()
    );
    let query = sqlx::query(&query).bind(scope.0.uuid()).bind(after).bind(now).bind(slice.fetch());
    let rows = query.fetch_all(&view.pool).await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| {
        cursor::encode(List::Invitations, halves(row.id.uuid()))
    }))
}

/// Organisations that invite this address, and by which invitation. It has no scope, since it is
/// asked when somebody is erased everywhere.
pub async fn invited(
    view: &View,
    email_index: &str,
) -> Result<Vec<(OrganizationId, InvitationId)>, QueryError> {
    let query = format!(
        "SELECT org_id, invitation_id FROM {}.invitations WHERE email_index = $1",
        view.schema()
    );
    let rows = sqlx::query(&query).bind(email_index).fetch_all(&view.pool).await?;
    let read = |row: &PgRow| -> Result<_, sqlx::Error> {
        let org = OrganizationId::from_uuid(row.try_get("org_id")?);
        Ok((org, InvitationId::from_uuid(row.try_get("invitation_id")?)))
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Organisations with invitations that nobody answered in time, at most `limit`: for the house.
pub async fn with_expired_invitations(
    view: &View,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<OrganizationId>, QueryError> {
    let query = format!(
        "SELECT DISTINCT org_id FROM {}.invitations WHERE expires_at <= $1 LIMIT $2",
        view.schema()
    );
    let query = sqlx::query_scalar::<_, Uuid>(&query).bind(now).bind(i64::from(limit));
    let found = query.fetch_all(&view.pool).await?;
    Ok(found.into_iter().map(OrganizationId::from_uuid).collect())
}

fn read(row: &PgRow) -> Result<InvitationRow, sqlx::Error> {
    Ok(InvitationRow {
        id: InvitationId::from_uuid(row.try_get("invitation_id")?),
        email: personal(row, "email")?.ok_or(sqlx::Error::RowNotFound)?,
        standing: standing(row)?.ok_or(sqlx::Error::RowNotFound)?,
        inviter: row.try_get::<Option<Uuid>, _>("inviter")?.map(UserId::from_uuid),
        invited_at: row.try_get("invited_at")?,
        mailed_at: row.try_get("mailed_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}
