use std::collections::BTreeMap;

use domain::{
    Timestamp,
    ids::UserId,
    organizations::{OrganizationEvent, Role},
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{event::storable, fault::Fault};

type Key = (Uuid, Uuid);

/// What the events of a batch come to, member by member.
#[derive(Default)]
pub(super) struct Members(BTreeMap<Key, Change>);

/// What is left out stays as it is.
#[derive(Default)]
struct Change {
    joined_at: Option<Timestamp>,
    role: Option<Role>,
    permissions: Option<Vec<String>>,
    gone: bool,
}

impl Members {
    /// Takes an event about members; any other is none of its business.
    pub fn fold(&mut self, org: Uuid, event: &OrganizationEvent) {
        if let OrganizationEvent::MemberJoined { user_id, role, permissions, joined_at } = event {
            *self.of(org, *user_id) = Change {
                joined_at: Some(*joined_at),
                role: Some(*role),
                permissions: Some(names(permissions)),
                gone: false,
            };
        }
        if let OrganizationEvent::MemberChanged { user_id, role, permissions, .. } = event {
            let change = self.of(org, *user_id);
            (change.role, change.permissions) = (Some(*role), Some(names(permissions)));
        }
        if let OrganizationEvent::MemberRemoved { user_id, .. }
        | OrganizationEvent::MemberLeft { user_id, .. } = event
        {
            *self.of(org, *user_id) = Change { gone: true, ..Change::default() };
        }
        if let OrganizationEvent::Transferred { to, from, .. } = event {
            if let Some(from) = from {
                self.of(org, *from).role = Some(Role::Admin);
            }
            self.of(org, *to).role = Some(Role::Owner);
        }
    }

    fn of(&mut self, org: Uuid, user: UserId) -> &mut Change {
        self.0.entry((org, user.uuid())).or_default()
    }

    pub async fn write(&self, connection: &mut PgConnection, schema: &str) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let rows = |wanted: fn(&Change) -> bool| {
            self.0.iter().filter(move |(_, change)| wanted(change)).collect::<Vec<_>>()
        };
        let joined = rows(|change| change.joined_at.is_some());
        let changed = rows(|change| change.joined_at.is_none() && !change.gone);
        let gone = rows(|change| change.gone);
        // Somebody who left may have come back within one batch.
        let join = format!(
            "INSERT INTO {schema}.members (org_id, user_id, role, permissions, joined_at)
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[],
                                  $5::timestamptz[])
             ON CONFLICT (org_id, user_id) DO UPDATE
             SET role = excluded.role, permissions = excluded.permissions,
                 joined_at = excluded.joined_at"
        );
        sqlx::query(&join)
            .bind(orgs(&joined))
            .bind(users(&joined))
            .bind(roles(&joined))
            .bind(permissions(&joined))
            .bind(joined.iter().map(|(_, change)| change.joined_at).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        let change = format!(
            "UPDATE {schema}.members m SET role = coalesce(g.role, m.role),
                 permissions = coalesce(g.permissions, m.permissions)
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[])
                  AS g(org_id, user_id, role, permissions)
             WHERE m.org_id = g.org_id AND m.user_id = g.user_id"
        );
        sqlx::query(&change)
            .bind(orgs(&changed))
            .bind(users(&changed))
            .bind(roles(&changed))
            .bind(permissions(&changed))
            .execute(&mut *connection)
            .await?;
        let go = format!(
            "DELETE FROM {schema}.members m USING unnest($1::uuid[], $2::uuid[]) AS g(org, user_id)
             WHERE m.org_id = g.org AND m.user_id = g.user_id"
        );
        sqlx::query(&go).bind(orgs(&gone)).bind(users(&gone)).execute(connection).await?;
        Ok(())
    }
}

fn names(permissions: &[String]) -> Vec<String> {
    permissions.iter().map(|name| storable(name)).collect()
}

fn orgs(rows: &[(&Key, &Change)]) -> Vec<Uuid> {
    rows.iter().map(|((org, _), _)| *org).collect()
}

fn users(rows: &[(&Key, &Change)]) -> Vec<Uuid> {
    rows.iter().map(|((_, user), _)| *user).collect()
}

fn roles(rows: &[(&Key, &Change)]) -> Vec<Option<&'static str>> {
    rows.iter().map(|(_, change)| change.role.map(Role::as_str)).collect()
}

fn permissions<'a>(rows: &[(&Key, &'a Change)]) -> Vec<Option<Json<&'a Vec<String>>>> {
    rows.iter().map(|(_, change)| change.permissions.as_ref().map(Json)).collect()
}
