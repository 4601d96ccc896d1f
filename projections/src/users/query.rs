use domain::{Pii, Sealed, Timestamp, ids::UserId};
use sqlx::{Row, postgres::PgRow};

use crate::{QueryError, TenantScope, View, query::unreadable};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    pub user: UserId,
    /// None once the person was erased.
    pub email: Option<Pii<String>>,
    pub name: Option<Pii<String>>,
    pub language: Option<Pii<String>>,
    pub time_zone: Option<Pii<String>>,
    pub email_verified: bool,
    pub signed_up_at: Timestamp,
    pub erased_at: Option<Timestamp>,
}

const ACCOUNT: &str =
    "org_id, email, name, language, time_zone, email_verified, signed_up_at, erased_at";

/// The account of the person whose own organisation the scope is.
pub async fn get(scope: TenantScope, view: &View) -> Result<Option<UserRow>, QueryError> {
    let query = format!("SELECT {ACCOUNT} FROM {}.users WHERE org_id = $1", view.schema());
    let row = sqlx::query(&query).bind(scope.0.uuid()).fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(user).transpose()?)
}

/// The accounts among these people, in no order. It has no scope: whoever asks has found the people in
/// one, and tells of them no more than is shown there.
pub async fn among(view: &View, users: &[UserId]) -> Result<Vec<UserRow>, QueryError> {
    let query = format!("SELECT {ACCOUNT} FROM {}.users WHERE org_id = ANY ($1)", view.schema());
    let ids: Vec<_> = users.iter().map(|user| user.uuid()).collect();
    let rows = sqlx::query(&query).bind(ids).fetch_all(&view.pool).await?;
    Ok(rows.iter().map(user).collect::<Result<_, _>>()?)
}

fn user(row: &PgRow) -> Result<UserRow, sqlx::Error> {
    Ok(UserRow {
        user: UserId::from_uuid(row.try_get("org_id")?),
        email: personal(row, "email")?,
        name: personal(row, "name")?,
        language: personal(row, "language")?,
        time_zone: personal(row, "time_zone")?,
        email_verified: row.try_get("email_verified")?,
        signed_up_at: row.try_get("signed_up_at")?,
        erased_at: row.try_get("erased_at")?,
    })
}

/// A sealed column.
pub(crate) fn personal(row: &PgRow, column: &str) -> Result<Option<Pii<String>>, sqlx::Error> {
    let text: Option<String> = row.try_get(column)?;
    let sealed = text.map(|text| text.parse::<Sealed>().map_err(|e| unreadable(column, e)));
    Ok(sealed.transpose()?.map(Pii::sealed))
}
