use domain::{Event, Timestamp, organizations::OrganizationEvent};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    event::{LogEvent, storable},
    fault::Fault,
};

/// Rows to write, column by column.
#[derive(Default)]
struct Batch {
    organizations: (Vec<Uuid>, Vec<String>, Vec<String>, Vec<Timestamp>, Vec<i64>),
    issued: (Vec<Uuid>, Vec<Uuid>, Vec<String>, Vec<String>, Vec<Timestamp>),
    revoked: (Vec<Uuid>, Vec<Uuid>, Vec<Timestamp>),
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
    batch.write(connection, schema).await
}

impl Batch {
    fn fold(&mut self, org: Uuid, position: u64, event: &OrganizationEvent) {
        match event {
            OrganizationEvent::Created { name, slug, created_at } => {
                let (ids, names, slugs, times, positions) = &mut self.organizations;
                ids.push(org);
                names.push(storable(name));
                slugs.push(storable(slug));
                times.push(*created_at);
                positions.push(position as i64);
            }
            OrganizationEvent::ApiKeyIssued { key_id, name, secret_hash, issued_at } => {
                let (orgs, ids, names, hashes, times) = &mut self.issued;
                orgs.push(org);
                ids.push(key_id.uuid());
                names.push(storable(name));
                hashes.push(storable(secret_hash));
                times.push(*issued_at);
            }
            OrganizationEvent::ApiKeyRevoked { key_id, revoked_at } => {
                let (orgs, ids, times) = &mut self.revoked;
                orgs.push(org);
                ids.push(key_id.uuid());
                times.push(*revoked_at);
            }
        }
    }

    /// Keys are never issued again after they were revoked, so all that are issued come first.
    async fn write(self, connection: &mut PgConnection, schema: &str) -> Result<(), Fault> {
        let (ids, names, slugs, times, positions) = self.organizations;
        if !ids.is_empty() {
            let query = format!(
                "INSERT INTO {schema}.organizations (org_id, name, slug, created_at, position)
                 SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[],
                                      $5::bigint[])"
            );
            let query = sqlx::query(&query).bind(ids).bind(names).bind(slugs).bind(times);
            query.bind(positions).execute(&mut *connection).await?;
        }
        let (orgs, ids, names, hashes, times) = self.issued;
        if !ids.is_empty() {
            let query = format!(
                "INSERT INTO {schema}.api_keys (org_id, key_id, name, secret_hash, issued_at)
                 SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[],
                                      $5::timestamptz[])"
            );
            let query = sqlx::query(&query).bind(orgs).bind(ids).bind(names).bind(hashes);
            query.bind(times).execute(&mut *connection).await?;
        }
        let (orgs, ids, times) = self.revoked;
        if !ids.is_empty() {
            let query = format!(
                "UPDATE {schema}.api_keys k SET revoked_at = g.at
                 FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS g(org_id, key_id, at)
                 WHERE k.key_id = g.key_id AND k.org_id = g.org_id"
            );
            let query = sqlx::query(&query).bind(orgs).bind(ids).bind(times);
            query.execute(connection).await?;
        }
        Ok(())
    }
}
