use std::collections::BTreeMap;

use domain::{Event, Timestamp, ids::ApiKeyId, organizations::OrganizationEvent};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::policies_store::Policies;
use crate::{
    event::{LogEvent, storable},
    fault::Fault,
};

/// Rows to write.
#[derive(Default)]
struct Batch {
    created: Vec<Created>,
    issued: Vec<Issued>,
    /// The last rotation of each key.
    rotated: BTreeMap<ApiKeyId, Rotated>,
    revoked: Vec<(Uuid, ApiKeyId, Timestamp)>,
    policies: Policies,
}

struct Created {
    org: Uuid,
    name: String,
    slug: String,
    at: Timestamp,
    position: i64,
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
}

struct Rotated {
    org: Uuid,
    secret_hash: String,
    /// The secret before it, where that came in this batch too.
    former: Option<String>,
    former_valid_until: Timestamp,
    at: Timestamp,
}

pub(super) async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    events: &[&LogEvent],
) -> Result<(), Fault> {
    let mut batch = Batch::default();
    for log_event in events {
        let position = log_event.position();
        for event in log_event.decode().map_err(|reason| Fault::event(position, reason))? {
            match event {
                Event::Organization(event) => {
                    batch.fold(log_event.recorded.org.uuid(), position, event);
                }
                Event::Audit(_)
                | Event::Factor(_)
                | Event::Scan(_)
                | Event::Session(_)
                | Event::User(_) => {}
            }
        }
    }
    // A key is never issued again after it was revoked, nor rotated, so all that are issued come first.
    write_created(&mut *connection, schema, &batch.created).await?;
    write_issued(&mut *connection, schema, &batch.issued).await?;
    write_rotated(&mut *connection, schema, &batch.rotated).await?;
    write_revoked(&mut *connection, schema, &batch.revoked).await?;
    batch.policies.write(connection, schema).await
}

impl Batch {
    fn fold(&mut self, org: Uuid, position: u64, event: &OrganizationEvent) {
        match event {
            OrganizationEvent::Created { name, slug, created_at } => self.created.push(Created {
                org,
                name: storable(name),
                slug: storable(slug),
                at: *created_at,
                position: position as i64,
            }),
            OrganizationEvent::ApiKeyIssued {
                key_id,
                name,
                secret_hash,
                issued_at,
                platform,
                scopes,
                expires_at,
                requests_per_minute,
            } => self.issued.push(Issued {
                org,
                key: *key_id,
                name: storable(name),
                secret_hash: storable(secret_hash),
                at: *issued_at,
                platform: *platform,
                scopes: scopes.iter().map(|scope| storable(scope)).collect(),
                expires_at: *expires_at,
                requests_per_minute: requests_per_minute.map(u32::cast_signed),
            }),
            OrganizationEvent::ApiKeyRotated {
                key_id,
                secret_hash,
                former_valid_until,
                rotated_at,
            } => {
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
            OrganizationEvent::ApiKeyRevoked { key_id, revoked_at } => {
                self.revoked.push((org, *key_id, *revoked_at));
            }
            OrganizationEvent::PolicyAdded { .. }
            | OrganizationEvent::PolicyChanged { .. }
            | OrganizationEvent::PolicyRemoved { .. } => {
                self.policies.fold(org, position as i64, event);
            }
        }
    }
}

fn column<'a, R, V>(rows: &'a [R], value: impl Fn(&'a R) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

async fn write_created(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[Created],
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "INSERT INTO {schema}.organizations (org_id, name, slug, created_at, position)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[])"
    );
    sqlx::query(&query)
        .bind(column(rows, |row| row.org))
        .bind(column(rows, |row| row.name.as_str()))
        .bind(column(rows, |row| row.slug.as_str()))
        .bind(column(rows, |row| row.at))
        .bind(column(rows, |row| row.position))
        .execute(connection)
        .await?;
    Ok(())
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
                                        scopes, expires_at, requests_per_minute)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[],
                              $6::bool[], $7::jsonb[], $8::timestamptz[], $9::integer[])"
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
