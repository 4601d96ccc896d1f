//! Views say what the log says, and what a fresh build of them says.

use std::{collections::BTreeMap, time::Duration};

use rand::{SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::Value;

use super::{
    Verdict,
    builds::{Comparison, VIEWS, compare},
    log::Entry,
};
use crate::{load::Client, record::Record, world::World};

const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(200);

pub async fn check(
    world: &World,
    log: &[Entry],
    record: &Record,
    verdict: &mut Verdict,
) -> Result<(), sqlx::Error> {
    verdict.topic("views stand at the head of the log");
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT name, status, position FROM projections")
            .fetch_all(&world.pool)
            .await?;
    verdict.holds(rows.len() == VIEWS.len(), || format!("there are {rows:?}"));
    for (name, status, position) in &rows {
        verdict.holds(status == "live" && *position == log.len() as i64, || {
            format!("{name} is {status} at {position} of {}", log.len())
        });
    }
    answers(world, log, record, verdict).await;

    verdict.topic("a view equals a fresh build of it");
    for view in VIEWS {
        let rebuilt = world.run(&["projections", "rebuild", view]).await;
        let told = rebuilt.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let compared = compare(&world.pool, view).await?;
        verdict.holds(matches!(compared, Comparison::Same(_)), || match &compared {
            Comparison::Differ(how) => how.clone(),
            _ => format!("there is no fresh build of {view}: {told:?}"),
        });
        if let (Comparison::Same(rows), "scans" | "organizations") = (&compared, view) {
            verdict.holds(*rows > 0, || format!("{view} is empty"));
        }
        let agrees =
            told.as_ref().is_some_and(|told| told.contains("same") && !told.contains("DIFF"));
        verdict.holds(agrees, || format!("the operator was told otherwise: {told:?}"));
    }
    Ok(())
}

/// What the front end answers about each scan that a client knows.
async fn answers(world: &World, log: &[Entry], record: &Record, verdict: &mut Verdict) {
    verdict.topic("a scan is answered as its events say");
    let mut told: BTreeMap<&str, (&str, i64)> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry.aggregate_type == "scan") {
        let state = entry.event_type.trim_start_matches("scan.");
        told.insert(&entry.aggregate_id, (state, entry.sequence));
    }
    let client = Client::new(world);
    let mut chance = StdRng::seed_from_u64(0);
    for scan in record.scans() {
        let read = read(&client, &scan, log.len(), &mut chance).await;
        let (state, version) = told.get(scan.as_str()).copied().unwrap_or_default();
        verdict.holds(
            read.as_ref().is_some_and(|read| {
                read["state"] == state && read["version"].as_i64() == Some(version)
            }),
            || format!("{scan} is {state} at version {version}, and answered as {read:?}"),
        );
    }
}

async fn read(client: &Client, scan: &str, head: usize, chance: &mut StdRng) -> Option<Value> {
    for _ in 0..TRIES {
        let request = client.ask(Method::GET, &format!("/v1/scans/{scan}"), chance);
        if let Ok(response) = request.header("Millrace-Min-Position", head).send().await
            && response.status() != 503
        {
            return serde_json::from_slice(&response.bytes().await.ok()?).ok();
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}
