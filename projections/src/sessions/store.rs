use std::collections::BTreeMap;

use domain::{Event, Timestamp, ids::SessionId, sessions::SessionEvent, users::UserEvent};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    event::{LogEvent, sealed, storable},
    fault::Fault,
};

type Key = (Uuid, Uuid);

/// Rows to write.
#[derive(Default)]
struct Batch {
    started: Vec<Started>,
    /// The last one of each session.
    refreshed: BTreeMap<Key, (Timestamp, Timestamp)>,
    ended: BTreeMap<Key, Timestamp>,
    /// How often all sessions of a person were ended.
    epochs: BTreeMap<Uuid, i32>,
}

struct Started {
    key: Key,
    epoch: i32,
    client: Option<String>,
    address: Option<String>,
    operator: Option<String>,
    at: Timestamp,
    expires_at: Timestamp,
}

pub(super) async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    events: &[&LogEvent],
) -> Result<(), Fault> {
    let mut batch = Batch::default();
    for log_event in events {
        let (position, user) = (log_event.position(), log_event.recorded.org.uuid());
        for event in log_event.events()? {
            match event {
                Event::Session(event) => {
                    let id = log_event.recorded.aggregate_id.parse::<SessionId>();
                    let id = id.map_err(|error| Fault::event(position, error.to_string()))?;
                    batch.fold((user, id.uuid()), event);
                }
                Event::User(event) => batch.fold_user(user, event),
                _ => {}
            }
        }
    }
    // A session starts once, and nothing happens to it after it has ended.
    write_started(connection, schema, &batch.started).await?;
    write_refreshed(connection, schema, &batch.refreshed).await?;
    write_ended(connection, schema, &batch.ended).await?;
    write_epochs(connection, schema, &batch.epochs).await
}

impl Batch {
    fn fold(&mut self, key: Key, event: &SessionEvent) {
        match event {
            SessionEvent::Started { epoch, client, address, started_at, expires_at, .. } => {
                self.started.push(Started {
                    key,
                    epoch: *epoch as i32,
                    client: client.as_ref().and_then(sealed),
                    address: address.as_ref().and_then(sealed),
                    operator: None,
                    at: *started_at,
                    expires_at: *expires_at,
                });
            }
            SessionEvent::ImpersonationStarted {
                epoch, operator, started_at, expires_at, ..
            } => self.started.push(Started {
                key,
                epoch: *epoch as i32,
                client: None,
                address: None,
                operator: Some(storable(operator)),
                at: *started_at,
                expires_at: *expires_at,
            }),
            SessionEvent::Refreshed { refreshed_at, expires_at, .. } => {
                self.refreshed.insert(key, (*refreshed_at, *expires_at));
            }
            SessionEvent::Ended { ended_at, .. } => {
                self.ended.insert(key, *ended_at);
            }
        }
    }

    fn fold_user(&mut self, user: Uuid, event: &UserEvent) {
        match event {
            UserEvent::PasswordReset { .. }
            | UserEvent::PasswordChanged { .. }
            | UserEvent::SessionsEndedEverywhere { .. }
            | UserEvent::Suspended { .. }
            | UserEvent::Erased { .. } => *self.epochs.entry(user).or_default() += 1,
            UserEvent::SignedUp { .. }
            | UserEvent::SignUpRepeated { .. }
            | UserEvent::EmailVerificationAsked { .. }
            | UserEvent::EmailVerified { .. }
            | UserEvent::PasswordResetAsked { .. }
            | UserEvent::ProfileChanged { .. }
            | UserEvent::EmailChangeAsked { .. }
            | UserEvent::EmailChanged { .. }
            | UserEvent::PasswordRehashed { .. }
            | UserEvent::Unsuspended { .. }
            | UserEvent::PasswordRemoved { .. }
            | UserEvent::IdentityLinked { .. }
            | UserEvent::IdentityUnlinked { .. } => {}
        }
    }
}

async fn write_started(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[Started],
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "INSERT INTO {schema}.sessions
             (org_id, session_id, epoch, client, address, operator, started_at, refreshed_at,
              expires_at)
         SELECT g.org_id, g.id, g.epoch, g.client, g.address, g.operator, g.at, g.at, g.expires_at
         FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[],
                     $6::timestamptz[], $7::timestamptz[], $8::text[])
             AS g(org_id, id, epoch, client, address, at, expires_at, operator)"
    );
    sqlx::query(&query)
        .bind(rows.iter().map(|row| row.key.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.key.1).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.epoch).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.client.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.address.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.expires_at).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.operator.as_deref()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_refreshed(
    connection: &mut PgConnection,
    schema: &str,
    rows: &BTreeMap<Key, (Timestamp, Timestamp)>,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "UPDATE {schema}.sessions s SET refreshed_at = g.at, expires_at = g.expires_at
         FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
             AS g(org_id, id, at, expires_at)
         WHERE s.org_id = g.org_id AND s.session_id = g.id"
    );
    sqlx::query(&query)
        .bind(rows.keys().map(|key| key.0).collect::<Vec<_>>())
        .bind(rows.keys().map(|key| key.1).collect::<Vec<_>>())
        .bind(rows.values().map(|times| times.0).collect::<Vec<_>>())
        .bind(rows.values().map(|times| times.1).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_ended(
    connection: &mut PgConnection,
    schema: &str,
    rows: &BTreeMap<Key, Timestamp>,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "UPDATE {schema}.sessions s SET ended_at = g.at
         FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS g(org_id, id, at)
         WHERE s.org_id = g.org_id AND s.session_id = g.id"
    );
    sqlx::query(&query)
        .bind(rows.keys().map(|key| key.0).collect::<Vec<_>>())
        .bind(rows.keys().map(|key| key.1).collect::<Vec<_>>())
        .bind(rows.values().copied().collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_epochs(
    connection: &mut PgConnection,
    schema: &str,
    rows: &BTreeMap<Uuid, i32>,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "INSERT INTO {schema}.session_epochs AS e (org_id, epoch)
         SELECT * FROM unnest($1::uuid[], $2::integer[])
         ON CONFLICT (org_id) DO UPDATE SET epoch = e.epoch + excluded.epoch"
    );
    sqlx::query(&query)
        .bind(rows.keys().copied().collect::<Vec<_>>())
        .bind(rows.values().copied().collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}
