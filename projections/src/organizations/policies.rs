use domain::{Timestamp, ids::PolicyId};
use serde_json::Value;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use super::query::{from_halves, halves};
use crate::{
    Page, QueryError, Slice, TenantScope, View,
    cursor::{self, List},
    query::unreadable,
};

#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRow {
    pub id: PolicyId,
    /// As it was written.
    pub policy: Value,
    pub added_at: Timestamp,
    pub changed_at: Option<Timestamp>,
}

const POLICY: &str = "policy_id, policy, added_at, changed_at";

/// One policy; none when the organisation has no such policy.
pub async fn policy(
    scope: TenantScope,
    view: &View,
    id: PolicyId,
) -> Result<Option<PolicyRow>, QueryError> {
    let query = format!(
        "SELECT {POLICY} FROM {}.policies WHERE org_id = $1 AND policy_id = $2",
        view.schema()
    );
    let query = sqlx::query(&query).bind(scope.0.uuid()).bind(id.uuid());
    let row = query.fetch_optional(&view.pool).await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// The policies of the organisation, oldest first.
pub async fn policies(
    scope: TenantScope,
    view: &View,
    slice: Slice<'_>,
) -> Result<Page<PolicyRow>, QueryError> {
    let after = match slice.cursor {
        Some(cursor) => from_halves(cursor::decode(List::Policies, cursor)?),
        None => Uuid::nil(),
    };
    let query = format!(
        "SELECT {POLICY} FROM {}.policies WHERE org_id = $1 AND policy_id > $2
         ORDER BY policy_id LIMIT $3",
        view.schema()
    );
    let query = sqlx::query(&query).bind(scope.0.uuid()).bind(after).bind(slice.fetch());
    let rows = query.fetch_all(&view.pool).await?;
    let rows = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(rows, slice.limit(), |row| cursor::encode(List::Policies, halves(row.id.uuid()))))
}

/// All policies of the organisation, of which it has a bounded number, to decide by.
pub async fn all_policies(scope: TenantScope, view: &View) -> Result<Vec<PolicyRow>, QueryError> {
    let query = format!(
        "SELECT {POLICY} FROM {}.policies WHERE org_id = $1 ORDER BY policy_id",
        view.schema()
    );
    let rows = sqlx::query(&query).bind(scope.0.uuid()).fetch_all(&view.pool).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn read(row: &PgRow) -> Result<PolicyRow, sqlx::Error> {
    let text: &str = row.try_get("policy")?;
    Ok(PolicyRow {
        id: PolicyId::from_uuid(row.try_get("policy_id")?),
        policy: serde_json::from_str(text).map_err(|error| unreadable("policy", error))?,
        added_at: row.try_get("added_at")?,
        changed_at: row.try_get("changed_at")?,
    })
}
