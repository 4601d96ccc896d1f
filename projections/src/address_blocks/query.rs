use domain::{Timestamp, ids::AddressBlockId};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::{
    Page, QueryError, Slice, View,
    cursor::{self, List},
    organizations::{from_halves, halves},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressBlockRow {
    pub block: AddressBlockId,
    pub network: String,
    pub reason: String,
    pub until: Option<Timestamp>,
    pub blocked_at: Timestamp,
    /// Whose command it was.
    pub blocked_by: String,
    pub lifted_at: Option<Timestamp>,
}

const COLUMNS: &str = "block_id, network, reason, until, blocked_at, blocked_by, lifted_at";

/// Newest first, with those that have ended.
pub async fn list(view: &View, slice: Slice<'_>) -> Result<Page<AddressBlockRow>, QueryError> {
    let before = match slice.cursor {
        Some(cursor) => from_halves(cursor::decode(List::AddressBlocks, cursor)?),
        None => Uuid::max(),
    };
    let query = format!(
        "SELECT {COLUMNS} FROM {}.address_blocks WHERE block_id < $1
         ORDER BY block_id DESC LIMIT $2",
        view.schema()
    );
    let rows = sqlx::query(&query).bind(before).bind(slice.fetch()).fetch_all(&view.pool).await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| {
        cursor::encode(List::AddressBlocks, halves(row.block.uuid()))
    }))
}

pub async fn get(view: &View, id: AddressBlockId) -> Result<Option<AddressBlockRow>, QueryError> {
    let query =
        format!("SELECT {COLUMNS} FROM {}.address_blocks WHERE block_id = $1", view.schema());
    let row = sqlx::query(&query).bind(id.uuid()).fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// The networks that are blocked now, those of the newest blocks if there are more than `limit`.
pub async fn in_force(view: &View, now: Timestamp, limit: u32) -> Result<Vec<String>, QueryError> {
    let query = format!(
        "SELECT network FROM {}.address_blocks
         WHERE lifted_at IS NULL AND (until IS NULL OR until > $1)
         ORDER BY block_id DESC LIMIT $2",
        view.schema()
    );
    let query = sqlx::query_scalar(&query).bind(now).bind(i64::from(limit));
    Ok(query.fetch_all(&view.pool).await?)
}

fn read(row: &PgRow) -> Result<AddressBlockRow, sqlx::Error> {
    Ok(AddressBlockRow {
        block: AddressBlockId::from_uuid(row.try_get("block_id")?),
        network: row.try_get("network")?,
        reason: row.try_get("reason")?,
        until: row.try_get("until")?,
        blocked_at: row.try_get("blocked_at")?,
        blocked_by: row.try_get("blocked_by")?,
        lifted_at: row.try_get("lifted_at")?,
    })
}
