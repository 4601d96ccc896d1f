use domain::{Pii, Timestamp, ids::SessionId};
use sqlx::{Row, postgres::PgRow};

use crate::{QueryError, TenantScope, View, users::personal};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub session: SessionId,
    pub client: Option<Pii<String>>,
    pub address: Option<Pii<String>>,
    /// The operator who acts in it, if one does.
    pub operator: Option<String>,
    pub started_at: Timestamp,
    pub refreshed_at: Timestamp,
    pub expires_at: Timestamp,
}

/// `$1` is the person, `$2` the present time.
fn alive(schema: &str) -> String {
    format!(
        "FROM {schema}.sessions s LEFT JOIN {schema}.session_epochs e USING (org_id)
         WHERE s.org_id = $1 AND s.expires_at > $2 AND s.ended_at IS NULL
           AND s.epoch = coalesce(e.epoch, 0)"
    )
}

/// Whether a session of the person can still be used.
pub async fn is_alive(
    scope: TenantScope,
    view: &View,
    session: SessionId,
    now: Timestamp,
) -> Result<bool, QueryError> {
    let from = alive(view.schema());
    let query = format!("SELECT EXISTS (SELECT {from} AND s.session_id = $3)");
    let found = sqlx::query_scalar(&query)
        .bind(scope.0.uuid())
        .bind(now)
        .bind(session.uuid())
        .fetch_one(&view.pool)
        .await?;
    Ok(found)
}

/// How many sessions of the person can still be used.
pub async fn count(scope: TenantScope, view: &View, now: Timestamp) -> Result<u64, QueryError> {
    let query = format!("SELECT count(*) {}", alive(view.schema()));
    let query = sqlx::query_scalar::<_, i64>(&query).bind(scope.0.uuid()).bind(now);
    Ok(query.fetch_one(&view.pool).await?.cast_unsigned())
}

/// The newest sessions of the person that can still be used; at most `limit`.
pub async fn list(
    scope: TenantScope,
    view: &View,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<SessionRow>, QueryError> {
    let from = alive(view.schema());
    let query = format!(
        "SELECT s.session_id, s.client, s.address, s.operator, s.started_at, s.refreshed_at, s.expires_at
         {from} ORDER BY s.session_id DESC LIMIT $3"
    );
    let rows = sqlx::query(&query)
        .bind(scope.0.uuid())
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(&view.pool)
        .await?;
    Ok(rows.iter().map(session).collect::<Result<_, _>>()?)
}

fn session(row: &PgRow) -> Result<SessionRow, sqlx::Error> {
    Ok(SessionRow {
        session: SessionId::from_uuid(row.try_get("session_id")?),
        client: personal(row, "client")?,
        address: personal(row, "address")?,
        operator: row.try_get("operator")?,
        started_at: row.try_get("started_at")?,
        refreshed_at: row.try_get("refreshed_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}
