use domain::{Pii, Sealed, Timestamp, ids::UserId};
use sqlx::{Row, postgres::PgRow};

use uuid::Uuid;

use crate::{
    Page, QueryError, Slice, TenantScope, View,
    cursor::{self, List},
    organizations::{from_halves, halves},
    query::unreadable,
};

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
    /// Since when the account is suspended, and why.
    pub suspended_at: Option<Timestamp>,
    pub suspension_reason: Option<Pii<String>>,
    pub erased_at: Option<Timestamp>,
}

/// Whom a list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Neither suspended nor erased.
    Active,
    /// The address is not confirmed.
    Unverified,
    Suspended,
    Erased,
}

impl Standing {
    const fn condition(self) -> &'static str {
        match self {
            Self::Active => "suspended_at IS NULL AND erased_at IS NULL",
            Self::Unverified => "NOT email_verified AND erased_at IS NULL",
            Self::Suspended => "suspended_at IS NOT NULL AND erased_at IS NULL",
            Self::Erased => "erased_at IS NOT NULL",
        }
    }
}

const ACCOUNT: &str = "org_id, email, name, language, time_zone, email_verified, signed_up_at,
    suspended_at, suspension_reason, erased_at";

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

/// All accounts, oldest first: for operators.
pub async fn list(
    view: &View,
    standing: Option<Standing>,
    slice: Slice<'_>,
) -> Result<Page<UserRow>, QueryError> {
    let after = match slice.cursor {
        Some(cursor) => from_halves(cursor::decode(List::Users, cursor)?),
        None => Uuid::nil(),
    };
    let query = format!(
        "SELECT {ACCOUNT} FROM {}.users WHERE org_id > $1 AND {} ORDER BY org_id LIMIT $2",
        view.schema(),
        standing.map_or("true", Standing::condition)
    );
    let rows = sqlx::query(&query).bind(after).bind(slice.fetch()).fetch_all(&view.pool).await?;
    let rows = rows.iter().map(user).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| cursor::encode(List::Users, halves(row.user.uuid()))))
}

/// How many accounts there are, and how many of them are suspended: for operators.
pub async fn count(view: &View) -> Result<(u64, u64), QueryError> {
    let query = format!(
        "SELECT count(*) AS all_of_them, count(suspended_at) AS suspended
         FROM {}.users WHERE erased_at IS NULL",
        view.schema()
    );
    let row = sqlx::query(&query).fetch_one(&view.pool).await?;
    let column = |name| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    Ok((column("all_of_them")?, column("suspended")?))
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
        suspended_at: row.try_get("suspended_at")?,
        suspension_reason: personal(row, "suspension_reason")?,
        erased_at: row.try_get("erased_at")?,
    })
}

/// A sealed column.
pub(crate) fn personal(row: &PgRow, column: &str) -> Result<Option<Pii<String>>, sqlx::Error> {
    let text: Option<String> = row.try_get(column)?;
    let sealed = text.map(|text| text.parse::<Sealed>().map_err(|e| unreadable(column, e)));
    Ok(sealed.transpose()?.map(Pii::sealed))
}
