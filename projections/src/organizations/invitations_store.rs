use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Timestamp,
    ids::InvitationId,
    organizations::{OrganizationEvent, Role},
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    event::{sealed, storable},
    fault::Fault,
};

/// What the events of a batch come to, invitation by invitation.
#[derive(Default)]
pub(super) struct Invitations {
    made: BTreeMap<InvitationId, Made>,
    /// When each was mailed last, and until when it can be answered.
    mailed: BTreeMap<InvitationId, (Timestamp, Timestamp)>,
    over: BTreeSet<InvitationId>,
}

struct Made {
    org: Uuid,
    email: Option<String>,
    email_index: String,
    role: Role,
    permissions: Vec<String>,
    inviter: Option<Uuid>,
    at: Timestamp,
}

impl Invitations {
    /// Takes an event about invitations; any other is none of its business.
    pub fn fold(&mut self, org: Uuid, event: &OrganizationEvent) {
        if let OrganizationEvent::InvitationMade {
            invitation_id,
            email,
            email_index,
            role,
            permissions,
            inviter,
            nonce: _,
            expires_at,
            invited_at,
        } = event
        {
            let made = Made {
                org,
                email: sealed(email),
                email_index: storable(email_index),
                role: *role,
                permissions: permissions.iter().map(|name| storable(name)).collect(),
                inviter: inviter.map(|inviter| inviter.uuid()),
                at: *invited_at,
            };
            self.made.insert(*invitation_id, made);
            self.mailed.insert(*invitation_id, (*invited_at, *expires_at));
        }
        if let OrganizationEvent::InvitationResent {
            invitation_id, expires_at, resent_at, ..
        } = event
        {
            self.mailed.insert(*invitation_id, (*resent_at, *expires_at));
        }
        if let OrganizationEvent::InvitationAccepted { invitation_id, .. }
        | OrganizationEvent::InvitationDeclined { invitation_id, .. }
        | OrganizationEvent::InvitationEnded { invitation_id, .. } = event
        {
            self.made.remove(invitation_id);
            self.mailed.remove(invitation_id);
            self.over.insert(*invitation_id);
        }
    }

    pub async fn write(&self, connection: &mut PgConnection, schema: &str) -> Result<(), Fault> {
        self.write_made(&mut *connection, schema).await?;
        if !self.mailed.is_empty() {
            let query = format!(
                "UPDATE {schema}.invitations i
                 SET mailed_at = g.mailed_at, expires_at = g.expires_at
                 FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[])
                      AS g(invitation_id, mailed_at, expires_at)
                 WHERE i.invitation_id = g.invitation_id"
            );
            sqlx::query(&query)
                .bind(self.mailed.keys().map(InvitationId::uuid).collect::<Vec<_>>())
                .bind(self.mailed.values().map(|(mailed, _)| *mailed).collect::<Vec<_>>())
                .bind(self.mailed.values().map(|(_, expires)| *expires).collect::<Vec<_>>())
                .execute(&mut *connection)
                .await?;
        }
        if !self.over.is_empty() {
            let query =
                format!("DELETE FROM {schema}.invitations WHERE invitation_id = ANY($1::uuid[])");
            let over: Vec<_> = self.over.iter().map(InvitationId::uuid).collect();
            sqlx::query(&query).bind(over).execute(connection).await?;
        }
        Ok(())
    }

    async fn write_made(&self, connection: &mut PgConnection, schema: &str) -> Result<(), Fault> {
        if self.made.is_empty() {
            return Ok(());
        }
        let query = format!(
            "INSERT INTO {schema}.invitations
                 (invitation_id, org_id, email, email_index, role, permissions, inviter,
                  invited_at, mailed_at, expires_at)
             SELECT *, invited_at, invited_at
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[],
                         $7::uuid[], $8::timestamptz[])
                  AS g(invitation_id, org_id, email, email_index, role, permissions, inviter,
                       invited_at)"
        );
        sqlx::query(&query)
            .bind(self.made.keys().map(InvitationId::uuid).collect::<Vec<_>>())
            .bind(self.column(|made| made.org))
            .bind(self.column(|made| made.email.as_deref()))
            .bind(self.column(|made| made.email_index.as_str()))
            .bind(self.column(|made| made.role.as_str()))
            .bind(self.column(|made| Json(&made.permissions)))
            .bind(self.column(|made| made.inviter))
            .bind(self.column(|made| made.at))
            .execute(connection)
            .await?;
        Ok(())
    }

    fn column<'a, V>(&'a self, value: impl Fn(&'a Made) -> V) -> Vec<V> {
        self.made.values().map(value).collect()
    }
}
