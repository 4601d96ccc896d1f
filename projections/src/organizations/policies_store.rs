use std::collections::BTreeMap;

use domain::{Timestamp, ids::PolicyId, organizations::OrganizationEvent};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::fault::Fault;

/// What the events of a batch come to, policy by policy.
#[derive(Default)]
pub(super) struct Policies {
    policies: BTreeMap<PolicyId, Change>,
    /// Position of the last event about policies, by organisation.
    changed: BTreeMap<Uuid, i64>,
}

struct Change {
    org: Uuid,
    /// None for one that is removed.
    policy: Option<String>,
    added_at: Option<Timestamp>,
    changed_at: Option<Timestamp>,
}

impl Policies {
    /// Takes an event about policies; any other is none of its business.
    pub fn fold(&mut self, org: Uuid, position: i64, event: &OrganizationEvent) {
        if let OrganizationEvent::PolicyAdded { policy_id, policy, added_at } = event {
            let policy = Some(policy.to_string());
            let change = Change { org, policy, added_at: Some(*added_at), changed_at: None };
            self.policies.insert(*policy_id, change);
        }
        if let OrganizationEvent::PolicyChanged { policy_id, policy, changed_at } = event {
            let added_at = self.policies.get(policy_id).and_then(|earlier| earlier.added_at);
            let policy = Some(policy.to_string());
            let change = Change { org, policy, added_at, changed_at: Some(*changed_at) };
            self.policies.insert(*policy_id, change);
        }
        if let OrganizationEvent::PolicyRemoved { policy_id, .. } = event {
            let gone = Change { org, policy: None, added_at: None, changed_at: None };
            self.policies.insert(*policy_id, gone);
        }
        self.changed.insert(org, position);
    }

    pub async fn write(&self, connection: &mut PgConnection, schema: &str) -> Result<(), Fault> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let kept = |(id, change): (&PolicyId, &Change)| {
            let policy = change.policy.clone()?;
            Some((id.uuid(), change.org, policy, change.added_at, change.changed_at))
        };
        let kept: Vec<_> = self.policies.iter().filter_map(kept).collect();
        let column = |added: bool| kept.iter().filter(move |row| row.3.is_some() == added);
        let insert = format!(
            "INSERT INTO {schema}.policies (policy_id, org_id, policy, added_at, changed_at)
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[],
                                  $5::timestamptz[])"
        );
        sqlx::query(&insert)
            .bind(column(true).map(|row| row.0).collect::<Vec<_>>())
            .bind(column(true).map(|row| row.1).collect::<Vec<_>>())
            .bind(column(true).map(|row| row.2.as_str()).collect::<Vec<_>>())
            .bind(column(true).map(|row| row.3).collect::<Vec<_>>())
            .bind(column(true).map(|row| row.4).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        let update = format!(
            "UPDATE {schema}.policies p SET policy = g.policy, changed_at = g.changed_at
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
                  AS g(policy_id, org_id, policy, changed_at)
             WHERE p.policy_id = g.policy_id AND p.org_id = g.org_id"
        );
        sqlx::query(&update)
            .bind(column(false).map(|row| row.0).collect::<Vec<_>>())
            .bind(column(false).map(|row| row.1).collect::<Vec<_>>())
            .bind(column(false).map(|row| row.2.as_str()).collect::<Vec<_>>())
            .bind(column(false).map(|row| row.4).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        let removed = self.policies.iter().filter(|(_, change)| change.policy.is_none());
        let (ids, orgs): (Vec<_>, Vec<_>) =
            removed.map(|(id, change)| (id.uuid(), change.org)).unzip();
        let delete = format!(
            "DELETE FROM {schema}.policies p USING unnest($1::uuid[], $2::uuid[]) AS g(id, org)
             WHERE p.policy_id = g.id AND p.org_id = g.org"
        );
        sqlx::query(&delete).bind(ids).bind(orgs).execute(&mut *connection).await?;
        let (orgs, positions): (Vec<_>, Vec<_>) =
            self.changed.iter().map(|(org, position)| (*org, *position)).unzip();
        let version = format!(
            "UPDATE {schema}.organizations o SET policies_position = g.position
             FROM unnest($1::uuid[], $2::bigint[]) AS g(org, position) WHERE o.org_id = g.org"
        );
        sqlx::query(&version).bind(orgs).bind(positions).execute(connection).await?;
        Ok(())
    }
}
