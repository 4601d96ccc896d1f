use domain::{Event, Timestamp, ids::ApiKeyId, organizations::OrganizationEvent};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    event::{LogEvent, storable},
    fault::Fault,
};

/// Rows to write.
#[derive(Default)]
struct Batch {
    created: Vec<Created>,
    issued: Vec<Issued>,
    revoked: Vec<(Uuid, ApiKeyId, Timestamp)>,
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
                Event::Scan(_) => {}
            }
        }
    }
    // A key is never issued again after it was revoked, so all that are issued come first.
    write_created(connection, schema, &batch.created).await?;
    write_issued(connection, schema, &batch.issued).await?;
    write_revoked(connection, schema, &batch.revoked).await
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
            OrganizationEvent::ApiKeyIssued { key_id, name, secret_hash, issued_at, platform } => {
                self.issued.push(Issued {
                    org,
                    key: *key_id,
                    name: storable(name),
                    secret_hash: storable(secret_hash),
                    at: *issued_at,
                    platform: *platform,
                });
            }
            OrganizationEvent::ApiKeyRevoked { key_id, revoked_at } => {
                self.revoked.push((org, *key_id, *revoked_at));
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
        "INSERT INTO {schema}.api_keys (org_id, key_id, name, secret_hash, issued_at, platform)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[],
                              $6::bool[])"
    );
    sqlx::query(&query)
        .bind(column(rows, |row| row.org))
        .bind(column(rows, |row| row.key.uuid()))
        .bind(column(rows, |row| row.name.as_str()))
        .bind(column(rows, |row| row.secret_hash.as_str()))
        .bind(column(rows, |row| row.at))
        .bind(column(rows, |row| row.platform))
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
