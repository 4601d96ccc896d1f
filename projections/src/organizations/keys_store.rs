use std::collections::BTreeMap;

use domain::{Timestamp, ids::ApiKeyId, organizations::OrganizationEvent};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{columns::column, event::storable, fault::Fault};

/// What the events of a batch come to, key by key.
#[derive(Default)]
pub(super) struct Keys {
    issued: Vec<Issued>,
    /// The last rotation of each key.
    rotated: BTreeMap<ApiKeyId, Rotated>,
    revoked: Vec<(Uuid, ApiKeyId, Timestamp)>,
}

struct Issued {
    org: Uuid,
    key: ApiKeyId,
    name: String,
    secret_hash: String,
    at: Timestamp,
    platform: bool,
    scopes: Vec<String>,
    expires_at: Option<Timestamp>,
    requests_per_minute: Option<i32>,
    issuer: Option<Uuid>,
    signing_key: Option<String>,
}

struct Rotated {
    org: Uuid,
    secret_hash: String,
    /// The secret before it, where that came in this batch too.
    former: Option<String>,
    former_valid_until: Timestamp,
    at: Timestamp,
}

impl Keys {
    /// Takes an event about keys; any other is none of its business.
    pub fn fold(&mut self, org: Uuid, event: &OrganizationEvent) {
        if let OrganizationEvent::ApiKeyIssued {
            key_id,
            name,
            secret_hash,
            issued_at,
            platform,
            scopes,
            expires_at,
            requests_per_minute,
            issuer,
            signing_key,
        } = event
        {
            self.issued.push(Issued {
                org,
                key: *key_id,
                name: storable(name),
                secret_hash: storable(secret_hash),
                at: *issued_at,
                platform: *platform,
                scopes: scopes.iter().map(|scope| storable(scope)).collect(),
                expires_at: *expires_at,
                requests_per_minute: requests_per_minute.map(u32::cast_signed),
                issuer: issuer.map(|issuer| issuer.uuid()),
                signing_key: signing_key.as_deref().map(storable),
            });
        }
        if let OrganizationEvent::ApiKeyRotated {
            key_id,
            secret_hash,
            former_valid_until,
            rotated_at,
        } = event
        {
            let former = self.rotated.remove(key_id).map(|earlier| earlier.secret_hash);
            let rotated = Rotated {
                org,
                secret_hash: storable(secret_hash),
                former,
                former_valid_until: *former_valid_until,
                at: *rotated_at,
            };
            self.rotated.insert(*key_id, rotated);
        }
        if let OrganizationEvent::ApiKeyRevoked { key_id, revoked_at } = event {
            self.revoked.push((org, *key_id, *revoked_at));
        }
    }

    /// A key is never issued again after it was revoked, nor rotated, so all that are issued come first.
    pub async fn write(&self, connection: &mut PgConnection, schema: &str) -> Result<(), Fault> {
        write_issued(connection, schema, &self.issued).await?;
        write_rotated(connection, schema, &self.rotated).await?;
        write_revoked(connection, schema, &self.revoked).await
    }
}

async fn write_issued(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[Issued],
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "INSERT INTO {schema}.api_keys (org_id, key_id, name, secret_hash, issued_at, platform,
                                        scopes, expires_at, requests_per_minute, issuer,
                                        signing_key)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[],
                              $6::bool[], $7::jsonb[], $8::timestamptz[], $9::integer[],
                              $10::uuid[], $11::text[])"
    );
    sqlx::query(&query)
        .bind(column(rows, |row| row.org))
        .bind(column(rows, |row| row.key.uuid()))
        .bind(column(rows, |row| row.name.as_str()))
        .bind(column(rows, |row| row.secret_hash.as_str()))
        .bind(column(rows, |row| row.at))
        .bind(column(rows, |row| row.platform))
        .bind(column(rows, |row| Json(&row.scopes)))
        .bind(column(rows, |row| row.expires_at))
        .bind(column(rows, |row| row.requests_per_minute))
        .bind(column(rows, |row| row.issuer))
        .bind(column(rows, |row| row.signing_key.as_deref()))
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_rotated(
    connection: &mut PgConnection,
    schema: &str,
    rows: &BTreeMap<ApiKeyId, Rotated>,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "UPDATE {schema}.api_keys k
         SET former_secret_hash = coalesce(g.former, k.secret_hash), secret_hash = g.hash,
             former_valid_until = g.until, rotated_at = g.at
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[],
                     $6::timestamptz[]) AS g(org_id, key_id, hash, former, until, at)
         WHERE k.key_id = g.key_id AND k.org_id = g.org_id"
    );
    let (keys, rows): (Vec<_>, Vec<_>) = rows.iter().map(|(key, row)| (key.uuid(), row)).unzip();
    sqlx::query(&query)
        .bind(column(&rows, |row| row.org))
        .bind(keys)
        .bind(column(&rows, |row| row.secret_hash.as_str()))
        .bind(column(&rows, |row| row.former.as_deref()))
        .bind(column(&rows, |row| row.former_valid_until))
        .bind(column(&rows, |row| row.at))
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_revoked(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[(Uuid, ApiKeyId, Timestamp)],
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "UPDATE {schema}.api_keys k SET revoked_at = g.at
         FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS g(org_id, key_id, at)
         WHERE k.key_id = g.key_id AND k.org_id = g.org_id"
    );
    sqlx::query(&query)
        .bind(column(rows, |row| row.0))
        .bind(column(rows, |row| row.1.uuid()))
        .bind(column(rows, |row| row.2))
        .execute(connection)
        .await?;
    Ok(())
}
