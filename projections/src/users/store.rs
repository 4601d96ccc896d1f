use std::collections::BTreeMap;

use domain::{Event, Timestamp, users::UserEvent};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    event::{LogEvent, sealed},
    fault::Fault,
};

/// Rows to write.
#[derive(Default)]
struct Batch {
    signed_up: Vec<SignedUp>,
    verified: Vec<Uuid>,
    /// The last one of each person.
    profiles: BTreeMap<Uuid, [Option<String>; 3]>,
    emails: BTreeMap<Uuid, Option<String>>,
    /// The last state of each person: since when and why, or not any more.
    suspended: BTreeMap<Uuid, Option<(Timestamp, Option<String>)>>,
    erased: Vec<(Uuid, Timestamp)>,
}

struct SignedUp {
    user: Uuid,
    email: Option<String>,
    name: Option<String>,
    at: Timestamp,
}

pub(super) async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    events: &[&LogEvent],
) -> Result<(), Fault> {
    let mut batch = Batch::default();
    for log_event in events {
        for event in log_event.events()? {
            let Event::User(event) = event else { continue };
            batch.fold(log_event.recorded.org.uuid(), event);
        }
    }
    // An account is made once, and nothing happens to it after it was erased.
    write_signed_up(connection, schema, &batch.signed_up).await?;
    write_verified(connection, schema, &batch.verified).await?;
    write_profiles(connection, schema, &batch.profiles).await?;
    write_emails(connection, schema, &batch.emails).await?;
    write_suspended(connection, schema, &batch.suspended).await?;
    write_erased(connection, schema, &batch.erased).await
}

impl Batch {
    fn fold(&mut self, user: Uuid, event: &UserEvent) {
        match event {
            UserEvent::SignedUp { email, name, signed_up_at, .. } => {
                let (email, name) = (sealed(email), name.as_ref().and_then(sealed));
                self.signed_up.push(SignedUp { user, email, name, at: *signed_up_at });
            }
            UserEvent::EmailVerified { .. } | UserEvent::PasswordReset { .. } => {
                self.verified.push(user);
            }
            UserEvent::ProfileChanged { name, language, time_zone, .. } => {
                let fields = [name, language, time_zone];
                let fields = fields.map(|value| value.as_ref().and_then(sealed));
                self.profiles.insert(user, fields);
            }
            UserEvent::EmailChanged { email, .. } => {
                self.emails.insert(user, sealed(email));
            }
            UserEvent::Suspended { reason, suspended_at, .. } => {
                self.suspended.insert(user, Some((*suspended_at, sealed(reason))));
            }
            UserEvent::Unsuspended { .. } => {
                self.suspended.insert(user, None);
            }
            UserEvent::Erased { erased_at, .. } => self.erased.push((user, *erased_at)),
            UserEvent::SignUpRepeated { .. }
            | UserEvent::EmailVerificationAsked { .. }
            | UserEvent::PasswordResetAsked { .. }
            | UserEvent::PasswordChanged { .. }
            | UserEvent::EmailChangeAsked { .. }
            | UserEvent::PasswordRehashed { .. }
            | UserEvent::PasswordRemoved { .. }
            | UserEvent::IdentityLinked { .. }
            | UserEvent::IdentityUnlinked { .. }
            | UserEvent::SessionsEndedEverywhere { .. } => {}
        }
    }
}

async fn write_signed_up(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[SignedUp],
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "INSERT INTO {schema}.users (org_id, email, name, email_verified, signed_up_at)
         SELECT g.org_id, g.email, g.name, false, g.at
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
             AS g(org_id, email, name, at)"
    );
    sqlx::query(&query)
        .bind(rows.iter().map(|row| row.user).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.email.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.name.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.at).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_verified(
    connection: &mut PgConnection,
    schema: &str,
    users: &[Uuid],
) -> Result<(), Fault> {
    if users.is_empty() {
        return Ok(());
    }
    let query = format!("UPDATE {schema}.users SET email_verified = true WHERE org_id = ANY ($1)");
    sqlx::query(&query).bind(users).execute(connection).await?;
    Ok(())
}

async fn write_profiles(
    connection: &mut PgConnection,
    schema: &str,
    rows: &BTreeMap<Uuid, [Option<String>; 3]>,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "UPDATE {schema}.users u SET name = g.name, language = g.language, time_zone = g.zone
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
             AS g(org_id, name, language, zone) WHERE u.org_id = g.org_id"
    );
    let column = |at: usize| rows.values().map(|row| row[at].as_deref()).collect::<Vec<_>>();
    sqlx::query(&query)
        .bind(rows.keys().copied().collect::<Vec<_>>())
        .bind(column(0))
        .bind(column(1))
        .bind(column(2))
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_emails(
    connection: &mut PgConnection,
    schema: &str,
    rows: &BTreeMap<Uuid, Option<String>>,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "UPDATE {schema}.users u SET email = g.email
         FROM unnest($1::uuid[], $2::text[]) AS g(org_id, email) WHERE u.org_id = g.org_id"
    );
    sqlx::query(&query)
        .bind(rows.keys().copied().collect::<Vec<_>>())
        .bind(rows.values().map(Option::as_deref).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_suspended(
    connection: &mut PgConnection,
    schema: &str,
    rows: &BTreeMap<Uuid, Option<(Timestamp, Option<String>)>>,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "UPDATE {schema}.users u SET suspended_at = g.at, suspension_reason = g.reason
         FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS g(org_id, at, reason)
         WHERE u.org_id = g.org_id"
    );
    let since = |row: &Option<(Timestamp, _)>| row.as_ref().map(|(at, _)| *at);
    sqlx::query(&query)
        .bind(rows.keys().copied().collect::<Vec<_>>())
        .bind(rows.values().map(since).collect::<Vec<_>>())
        .bind(rows.values().map(|row| row.as_ref()?.1.as_deref()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_erased(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[(Uuid, Timestamp)],
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = format!(
        "UPDATE {schema}.users u SET email = NULL, name = NULL, language = NULL,
             time_zone = NULL, suspension_reason = NULL, erased_at = g.at
         FROM unnest($1::uuid[], $2::timestamptz[]) AS g(org_id, at) WHERE u.org_id = g.org_id"
    );
    sqlx::query(&query)
        .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}
