//! The last values of resources, read and written for all events of a batch at once.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row as _};

use super::{
    changes::{Changes, Fields},
    entry::{Resource, Row, Set},
};
use crate::{fault::Fault, query::unreadable};

#[derive(Default)]
pub(super) struct Known(BTreeMap<Resource, Fields>);

impl Known {
    /// What is known of the resources that the rows are about.
    pub async fn read(
        connection: &mut PgConnection,
        schema: &str,
        rows: &[Row<'_>],
    ) -> Result<Self, Fault> {
        let mut known = Self::default();
        for row in rows.iter().filter(|row| row.is_remembered()) {
            known.0.entry(row.resource.clone()).or_default();
        }
        if known.0.is_empty() {
            return Ok(known);
        }
        let query = format!(
            "SELECT k.org_id, k.resource_kind, k.resource_id, k.fields
             FROM unnest($1::uuid[], $2::text[], $3::text[]) AS g(org, kind, id)
             JOIN {schema}.known k
               ON k.org_id = g.org AND k.resource_kind = g.kind AND k.resource_id = g.id"
        );
        let found = sqlx::query(&query)
            .bind(known.column(|resource| resource.org))
            .bind(known.column(|resource| resource.kind.clone()))
            .bind(known.column(|resource| resource.id.clone()))
            .fetch_all(connection)
            .await?;
        for row in found {
            let org = row.try_get("org_id")?;
            let (kind, id) = (row.try_get("resource_kind")?, row.try_get("resource_id")?);
            let fields = serde_json::from_str(row.try_get("fields")?);
            let fields = fields.map_err(|error| unreadable("fields", error))?;
            known.0.insert(Resource { org, kind, id }, fields);
        }
        Ok(known)
    }

    /// What the event of the row changed, as JSON of [`Changes`]; none when it set too much to be
    /// shown.
    pub fn change(&mut self, row: &mut Row<'_>) -> serde_json::Result<Option<String>> {
        let set = row.set.take();
        let known = if row.is_remembered() { self.0.get_mut(&row.resource) } else { None };
        let before = match known {
            Some(known) if row.removes => std::mem::take(known),
            Some(known) => match &set {
                Some(Set::Fields(after)) => known.overwrite(after),
                Some(Set::OfScan(_)) | None => Fields::none(),
            },
            None => Fields::none(),
        };
        match set {
            Some(Set::Fields(after)) => serde_json::to_string(&Changes { before, after }).map(Some),
            Some(Set::OfScan(after)) => {
                serde_json::to_string(&Changes { before: Fields::none(), after }).map(Some)
            }
            None => Ok(None),
        }
    }

    pub async fn write(&self, connection: &mut PgConnection, schema: &str) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let query = format!(
            "INSERT INTO {schema}.known (org_id, resource_kind, resource_id, fields)
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
             ON CONFLICT (org_id, resource_kind, resource_id)
             DO UPDATE SET fields = excluded.fields"
        );
        let fields = self.0.values().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        let fields = fields.map_err(|error| unreadable("fields", error))?;
        sqlx::query(&query)
            .bind(self.column(|resource| resource.org))
            .bind(self.column(|resource| resource.kind.as_str()))
            .bind(self.column(|resource| resource.id.as_str()))
            .bind(fields)
            .execute(connection)
            .await?;
        Ok(())
    }

    fn column<'a, V>(&'a self, value: impl Fn(&'a Resource) -> V) -> Vec<V> {
        self.0.keys().map(value).collect()
    }
}
