use std::collections::BTreeMap;

use domain::{Timestamp, organizations::OrganizationEvent};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    columns::column,
    event::{sealed, storable},
    fault::Fault,
};

/// What the events of a batch come to, organisation by organisation.
#[derive(Default)]
pub(super) struct Settings(BTreeMap<Uuid, Change>);

/// What is left out stays as it is; what is there may be that there is nothing any more.
#[derive(Default)]
struct Change {
    name: Option<String>,
    slug: Option<String>,
    logo_url: Option<Option<String>>,
    archived_at: Option<Option<Timestamp>>,
    suspension: Option<Option<(Timestamp, String)>>,
    billing: Option<Billing>,
}

#[derive(Default)]
struct Billing {
    contact: Option<Uuid>,
    email: Option<String>,
    name: Option<String>,
}

impl Settings {
    /// Takes an event about what an organisation is; any other is none of its business.
    pub fn fold(&mut self, org: Uuid, event: &OrganizationEvent) {
        if let OrganizationEvent::Renamed { name, .. } = event {
            self.of(org).name = Some(storable(name));
        }
        if let OrganizationEvent::SlugChanged { slug, .. } = event {
            self.of(org).slug = Some(storable(slug));
        }
        if let OrganizationEvent::LogoChanged { logo_url, .. } = event {
            self.of(org).logo_url = Some(logo_url.as_deref().map(storable));
        }
        if let OrganizationEvent::Archived { archived_at } = event {
            self.of(org).archived_at = Some(Some(*archived_at));
        }
        if let OrganizationEvent::BroughtBack { .. } = event {
            self.of(org).archived_at = Some(None);
        }
        if let OrganizationEvent::Suspended { reason, suspended_at } = event {
            self.of(org).suspension = Some(Some((*suspended_at, storable(reason))));
        }
        if let OrganizationEvent::Unsuspended { .. } = event {
            self.of(org).suspension = Some(None);
        }
        if let OrganizationEvent::BillingContactSet { contact_id, email, name, .. } = event {
            self.of(org).billing = Some(Billing {
                contact: Some(contact_id.uuid()),
                email: sealed(email),
                name: name.as_ref().and_then(sealed),
            });
        }
        if let OrganizationEvent::BillingContactRemoved { .. } = event {
            self.of(org).billing = Some(Billing::default());
        }
    }

    fn of(&mut self, org: Uuid) -> &mut Change {
        self.0.entry(org).or_default()
    }

    pub async fn write(&self, connection: &mut PgConnection, schema: &str) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let query = format!(
            "UPDATE {schema}.organizations o
             SET name = coalesce(g.name, o.name), slug = coalesce(g.slug, o.slug),
                 logo_url = CASE WHEN g.logo THEN g.logo_url ELSE o.logo_url END,
                 archived_at = CASE WHEN g.archive THEN g.archived_at ELSE o.archived_at END,
                 billing_contact = CASE WHEN g.bill THEN g.contact ELSE o.billing_contact END,
                 billing_email = CASE WHEN g.bill THEN g.billing_email ELSE o.billing_email END,
                 billing_name = CASE WHEN g.bill THEN g.billing_name ELSE o.billing_name END,
                 suspended_at = CASE WHEN g.suspend THEN g.suspended_at ELSE o.suspended_at END,
                 suspension_reason =
                     CASE WHEN g.suspend THEN g.suspension_reason ELSE o.suspension_reason END
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bool[], $5::text[], $6::bool[],
                         $7::timestamptz[], $8::bool[], $9::uuid[], $10::text[], $11::text[],
                         $12::bool[], $13::timestamptz[], $14::text[])
                  AS g(org_id, name, slug, logo, logo_url, archive, archived_at, bill, contact,
                       billing_email, billing_name, suspend, suspended_at, suspension_reason)
             WHERE o.org_id = g.org_id"
        );
        let rows: Vec<_> = self.0.values().collect();
        sqlx::query(&query)
            .bind(self.0.keys().copied().collect::<Vec<_>>())
            .bind(column(&rows, |row| row.name.as_deref()))
            .bind(column(&rows, |row| row.slug.as_deref()))
            .bind(column(&rows, |row| row.logo_url.is_some()))
            .bind(column(&rows, |row| row.logo_url.as_ref()?.as_deref()))
            .bind(column(&rows, |row| row.archived_at.is_some()))
            .bind(column(&rows, |row| row.archived_at.flatten()))
            .bind(column(&rows, |row| row.billing.is_some()))
            .bind(column(&rows, |row| row.billing.as_ref()?.contact))
            .bind(column(&rows, |row| row.billing.as_ref()?.email.as_deref()))
            .bind(column(&rows, |row| row.billing.as_ref()?.name.as_deref()))
            .bind(column(&rows, |row| row.suspension.is_some()))
            .bind(column(&rows, |row| row.suspension.as_ref()?.as_ref().map(|(at, _)| *at)))
            .bind(column(&rows, |row| {
                row.suspension.as_ref()?.as_ref().map(|(_, why)| why.as_str())
            }))
            .execute(connection)
            .await?;
        Ok(())
    }
}
