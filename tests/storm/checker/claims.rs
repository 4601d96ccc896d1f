//! A slug belongs to one organisation: the one whose event says so.

use std::collections::BTreeMap;

use sqlx::PgPool;

use super::{Verdict, log::Entry};
use crate::record::{Founded, Record};

pub async fn check(
    pool: &PgPool,
    log: &[Entry],
    record: &Record,
    verdict: &mut Verdict,
) -> Result<(), sqlx::Error> {
    verdict.topic("a slug is taken by one organisation, and its claim says by which");
    let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry.event_type == "organization.created") {
        let slug = entry.payload["slug"].as_str().unwrap_or_default();
        owners.entry(slug).or_default().push(&entry.aggregate_id);
    }
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT key, aggregate_id FROM claims WHERE kind = 'organization_slug'")
            .fetch_all(pool)
            .await?;
    let claims: BTreeMap<_, _> = rows.iter().map(|(key, id)| (key.as_str(), id.as_str())).collect();
    for (slug, owners) in &owners {
        verdict.holds(owners.len() == 1, || format!("`{slug}` belongs to {owners:?}"));
        let claim = claims.get(slug);
        verdict.holds(claim == owners.first(), || {
            format!("`{slug}` of {owners:?} is claimed by {claim:?}")
        });
    }
    let strangers: Vec<_> = claims.keys().filter(|slug| !owners.contains_key(*slug)).collect();
    verdict.holds(strangers.is_empty(), || format!("claims without an event: {strangers:?}"));
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM claims").fetch_one(pool).await?;
    verdict.holds(all as usize == owners.len(), || {
        format!("{all} claims for {} organisations", owners.len())
    });

    verdict.topic("an operator was told the truth about organisations");
    for founding in record.foundings() {
        let owner = owners.get(founding.slug.as_str()).and_then(|owners| owners.first());
        verdict.holds(
            match &founding.outcome {
                Founded::Made { id } => owner == Some(&id.as_str()),
                Founded::Taken => owner.is_some(),
                Founded::Unknown => true,
            },
            || format!("{founding:?}, and the log says {owner:?}"),
        );
    }
    Ok(())
}
