use domain::{
    Pii, Timestamp,
    ids::{BillingContactId, OrganizationId},
};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{
    Page, QueryError, Slice, TenantScope, View,
    cursor::{self, List},
    users::personal,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationRow {
    pub org: OrganizationId,
    pub name: String,
    pub slug: String,
    pub logo_url: Option<String>,
    pub created_at: Timestamp,
    /// Since when it can be read and nothing else.
    pub archived_at: Option<Timestamp>,
    /// Position of the event that made it.
    pub position: u64,
}

/// Who is asked about invoices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingContactRow {
    pub contact: BillingContactId,
    pub email: Pii<String>,
    pub name: Option<Pii<String>>,
}

const ORGANIZATION: &str = "org_id, name, slug, logo_url, created_at, archived_at, position";

pub(crate) fn halves(id: Uuid) -> [i64; 2] {
    let (high, low) = id.as_u64_pair();
    [high.cast_signed(), low.cast_signed()]
}

pub(crate) fn from_halves([high, low]: [i64; 2]) -> Uuid {
    Uuid::from_u64_pair(high.cast_unsigned(), low.cast_unsigned())
}

/// The organisation itself; none when it is not in the view.
pub async fn get(scope: TenantScope, view: &View) -> Result<Option<OrganizationRow>, QueryError> {
    let query =
        format!("SELECT {ORGANIZATION} FROM {}.organizations WHERE org_id = $1", view.schema());
    let row = sqlx::query(&query).bind(scope.0.uuid()).fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(organization).transpose()?)
}

/// Who is asked about the invoices of the organisation, if somebody is.
pub async fn billing_contact(
    scope: TenantScope,
    view: &View,
) -> Result<Option<BillingContactRow>, QueryError> {
    let query = format!(
        "SELECT billing_contact, billing_email, billing_name FROM {}.organizations
         WHERE org_id = $1 AND billing_contact IS NOT NULL",
        view.schema()
    );
    let row = sqlx::query(&query).bind(scope.0.uuid()).fetch_optional(&view.pool).await?;
    let read = |row: PgRow| -> Result<_, sqlx::Error> {
        let email = personal(&row, "billing_email")?.ok_or(sqlx::Error::RowNotFound)?;
        Ok(BillingContactRow {
            contact: BillingContactId::from_uuid(row.try_get("billing_contact")?),
            email,
            name: personal(&row, "billing_name")?,
        })
    };
    Ok(row.map(read).transpose()?)
}

/// All organisations, oldest first: for operators.
pub async fn list(view: &View, slice: Slice<'_>) -> Result<Page<OrganizationRow>, QueryError> {
    let [after] = match slice.cursor {
        Some(cursor) => cursor::decode(List::Organizations, cursor)?,
        None => [0],
    };
    let query = format!(
        "SELECT {ORGANIZATION} FROM {}.organizations
         WHERE position > $1 ORDER BY position LIMIT $2",
        view.schema()
    );
    let rows = sqlx::query(&query).bind(after).bind(slice.fetch()).fetch_all(&view.pool).await?;
    let rows = rows.iter().map(organization).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| {
        cursor::encode(List::Organizations, [row.position as i64])
    }))
}

pub(super) fn organization(row: &PgRow) -> Result<OrganizationRow, sqlx::Error> {
    Ok(OrganizationRow {
        org: OrganizationId::from_uuid(row.try_get("org_id")?),
        name: row.try_get("name")?,
        slug: row.try_get("slug")?,
        logo_url: row.try_get("logo_url")?,
        created_at: row.try_get("created_at")?,
        archived_at: row.try_get("archived_at")?,
        position: row.try_get::<i64, _>("position")? as u64,
    })
}
