use std::collections::BTreeMap;

use domain::{Event, Timestamp, organizations::OrganizationEvent, users::UserEvent};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    invitations_store::Invitations, keys_store::Keys, members_store::Members,
    policies_store::Policies, settings_store::Settings,
};
use crate::{
    columns::column,
    event::{LogEvent, storable},
    fault::Fault,
};

/// Rows to write.
#[derive(Default)]
struct Batch {
    created: Vec<Created>,
    settings: Settings,
    members: Members,
    invitations: Invitations,
    keys: Keys,
    policies: Policies,
    /// The version of each organisation.
    versions: BTreeMap<Uuid, i64>,
    /// Whether the account of each person is suspended.
    people: BTreeMap<Uuid, bool>,
}

struct Created {
    org: Uuid,
    name: String,
    slug: String,
    at: Timestamp,
    position: i64,
}

pub(super) async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    events: &[&LogEvent],
) -> Result<(), Fault> {
    let mut batch = Batch::default();
    for log_event in events {
        let position = log_event.position();
        for event in log_event.events()? {
            let org = log_event.recorded.org.uuid();
            match event {
                Event::Organization(event) => {
                    batch.fold(org, position as i64, event);
                    batch.versions.insert(org, log_event.recorded.sequence as i64);
                }
                Event::User(event) => batch.fold_user(org, event),
                _ => {}
            }
        }
    }
    // An organisation is made once, before anything else happens in it.
    write_created(&mut *connection, schema, &batch.created).await?;
    batch.settings.write(&mut *connection, schema).await?;
    batch.members.write(&mut *connection, schema).await?;
    batch.invitations.write(&mut *connection, schema).await?;
    batch.keys.write(&mut *connection, schema).await?;
    batch.policies.write(&mut *connection, schema).await?;
    write_versions(&mut *connection, schema, &batch.versions).await?;
    write_people(connection, schema, &batch.people).await
}

impl Batch {
    fn fold(&mut self, org: Uuid, position: i64, event: &OrganizationEvent) {
        match event {
            OrganizationEvent::Created { name, slug, created_at } => self.created.push(Created {
                org,
                name: storable(name),
                slug: storable(slug),
                at: *created_at,
                position,
            }),
            OrganizationEvent::Renamed { .. }
            | OrganizationEvent::SlugChanged { .. }
            | OrganizationEvent::LogoChanged { .. }
            | OrganizationEvent::BillingContactSet { .. }
            | OrganizationEvent::BillingContactRemoved { .. }
            | OrganizationEvent::Archived { .. }
            | OrganizationEvent::BroughtBack { .. }
            | OrganizationEvent::Suspended { .. }
            | OrganizationEvent::Unsuspended { .. } => self.settings.fold(org, event),
            OrganizationEvent::MemberJoined { .. }
            | OrganizationEvent::MemberChanged { .. }
            | OrganizationEvent::MemberRemoved { .. }
            | OrganizationEvent::MemberLeft { .. }
            | OrganizationEvent::Transferred { .. } => self.members.fold(org, event),
            OrganizationEvent::InvitationMade { .. }
            | OrganizationEvent::InvitationResent { .. }
            | OrganizationEvent::InvitationAccepted { .. }
            | OrganizationEvent::InvitationDeclined { .. }
            | OrganizationEvent::InvitationEnded { .. } => self.invitations.fold(org, event),
            OrganizationEvent::ApiKeyIssued { .. }
            | OrganizationEvent::ApiKeyRotated { .. }
            | OrganizationEvent::ApiKeyRevoked { .. }
            | OrganizationEvent::ApiKeyLeaked { .. } => self.keys.fold(org, event),
            OrganizationEvent::PolicyAdded { .. }
            | OrganizationEvent::PolicyChanged { .. }
            | OrganizationEvent::PolicyRemoved { .. } => {
                self.policies.fold(org, position, event);
            }
        }
    }

    fn fold_user(&mut self, user: Uuid, event: &UserEvent) {
        match event {
            UserEvent::Suspended { .. } => self.people.insert(user, true),
            UserEvent::Unsuspended { .. } | UserEvent::Erased { .. } => {
                self.people.insert(user, false)
            }
            UserEvent::SignedUp { .. }
            | UserEvent::SignUpRepeated { .. }
            | UserEvent::EmailVerificationAsked { .. }
            | UserEvent::EmailVerified { .. }
            | UserEvent::PasswordResetAsked { .. }
            | UserEvent::PasswordReset { .. }
            | UserEvent::PasswordChanged { .. }
            | UserEvent::ProfileChanged { .. }
            | UserEvent::EmailChangeAsked { .. }
            | UserEvent::EmailChanged { .. }
            | UserEvent::PasswordRehashed { .. }
            | UserEvent::PasswordRemoved { .. }
            | UserEvent::IdentityLinked { .. }
            | UserEvent::IdentityUnlinked { .. }
            | UserEvent::SessionsEndedEverywhere { .. } => None,
        };
    }
}

async fn write_people(
    connection: &mut PgConnection,
    schema: &str,
    people: &BTreeMap<Uuid, bool>,
) -> Result<(), Fault> {
    if people.is_empty() {
        return Ok(());
    }
    let of = |suspended| {
        let people = people.iter().filter(move |(_, is)| **is == suspended);
        people.map(|(user, _)| *user).collect::<Vec<_>>()
    };
    let query = format!("DELETE FROM {schema}.suspended_users WHERE user_id = ANY ($1)");
    sqlx::query(&query).bind(of(false)).execute(&mut *connection).await?;
    let query = format!(
        "INSERT INTO {schema}.suspended_users SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING"
    );
    sqlx::query(&query).bind(of(true)).execute(connection).await?;
    Ok(())
}

async fn write_versions(
    connection: &mut PgConnection,
    schema: &str,
    versions: &BTreeMap<Uuid, i64>,
) -> Result<(), Fault> {
    if versions.is_empty() {
        return Ok(());
    }
    let query = format!(
        "UPDATE {schema}.organizations o SET version = g.version
         FROM unnest($1::uuid[], $2::bigint[]) AS g(org_id, version)
         WHERE o.org_id = g.org_id"
    );
    sqlx::query(&query)
        .bind(versions.keys().copied().collect::<Vec<_>>())
        .bind(versions.values().copied().collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
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
