use domain::{
    Pii, Timestamp,
    ids::{BillingContactId, OrganizationId},
};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{
    Page, QueryError, Slice, TenantScope, View,
    cursor::{self, List},
    event::storable,
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
    /// Since when nothing is done in it, and why.
    pub suspended_at: Option<Timestamp>,
    pub suspension_reason: Option<String>,
    /// Position of the event that made it.
    pub position: u64,
    pub version: u64,
}

/// Who is asked about invoices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingContactRow {
    pub contact: BillingContactId,
    pub email: Pii<String>,
    pub name: Option<Pii<String>>,
}

const ORGANIZATION: &str = "org_id, name, slug, logo_url, created_at, archived_at, suspended_at,
    suspension_reason, position, version";

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

/// Which organisations an operator looks for; each field narrows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    pub slug: Option<String>,
    /// The beginning of the name, in capitals or not.
    pub name: Option<String>,
    pub standing: Option<Standing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Neither archived nor suspended.
    Active,
    Archived,
    Suspended,
}

impl Standing {
    const fn condition(self) -> &'static str {
        match self {
            Self::Active => "archived_at IS NULL AND suspended_at IS NULL",
            Self::Archived => "archived_at IS NOT NULL",
            Self::Suspended => "suspended_at IS NOT NULL",
        }
    }
}

/// All organisations, oldest first: for operators.
pub async fn list(view: &View, slice: Slice<'_>) -> Result<Page<OrganizationRow>, QueryError> {
    search(view, &Search::default(), slice).await
}

/// Those that are looked for, oldest first: for operators.
pub async fn search(
    view: &View,
    search: &Search,
    slice: Slice<'_>,
) -> Result<Page<OrganizationRow>, QueryError> {
    let [after] = match slice.cursor {
        Some(cursor) => cursor::decode(List::Organizations, cursor)?,
        None => [0],
    };
    let query = format!(
        "SELECT {ORGANIZATION} FROM {}.organizations
         WHERE position > $1 AND {}
           AND ($3::text IS NULL OR slug = $3)
           AND ($4::text IS NULL OR lower(name) LIKE $4)
         ORDER BY position LIMIT $2",
        view.schema(),
        search.standing.map_or("true", Standing::condition)
    );
    let rows = sqlx::query(&query)
        .bind(after)
        .bind(slice.fetch())
        .bind(search.slug.as_deref())
        .bind(search.name.as_deref().map(prefix))
        .fetch_all(&view.pool)
        .await?;
    let rows = rows.iter().map(organization).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| {
        cursor::encode(List::Organizations, [row.position as i64])
    }))
}

/// How many organisations there are, and how many of them are suspended: for operators.
pub async fn count(view: &View) -> Result<(u64, u64), QueryError> {
    let query = format!(
        "SELECT count(*) AS all_of_them, count(suspended_at) AS suspended FROM {}.organizations",
        view.schema()
    );
    let row = sqlx::query(&query).fetch_one(&view.pool).await?;
    let column = |name| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    Ok((column("all_of_them")?, column("suspended")?))
}

/// The pattern of names that begin so.
fn prefix(text: &str) -> String {
    let mut pattern = String::new();
    for c in storable(text).to_lowercase().chars() {
        if matches!(c, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

pub(super) fn organization(row: &PgRow) -> Result<OrganizationRow, sqlx::Error> {
    Ok(OrganizationRow {
        org: OrganizationId::from_uuid(row.try_get("org_id")?),
        name: row.try_get("name")?,
        slug: row.try_get("slug")?,
        logo_url: row.try_get("logo_url")?,
        created_at: row.try_get("created_at")?,
        archived_at: row.try_get("archived_at")?,
        suspended_at: row.try_get("suspended_at")?,
        suspension_reason: row.try_get("suspension_reason")?,
        position: row.try_get::<i64, _>("position")? as u64,
        version: row.try_get::<i64, _>("version")? as u64,
    })
}
