//! Reads that name the position they must not be older than.

use std::time::Duration;

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::sleep;

use super::Hand;
use crate::record::Known;

const PAUSE_MILLIS: std::ops::Range<u64> = 20..200;
/// Scans that somebody still looks at.
const NEWEST: usize = 30;
/// Scans in a list.
const LIST: usize = 500;

/// Reads until the storm is over.
pub async fn read(hand: Hand, mut chance: StdRng) {
    while !hand.is_calm() {
        let scans = hand.record.scans();
        let newest = &scans[scans.len().saturating_sub(NEWEST)..];
        if let Some(scan) = newest.choose(&mut chance) {
            let known = hand.record.known(scan);
            if chance.random_bool(0.8) {
                one(&hand, scan, known, &mut chance).await;
            } else {
                list(&hand, scan, known, &mut chance).await;
            }
        }
        sleep(Duration::from_millis(chance.random_range(PAUSE_MILLIS))).await;
    }
}

/// Reads a scan as new as it is known; that it is not there, or older, breaks the promise.
async fn one(hand: &Hand, scan: &str, known: Known, chance: &mut StdRng) {
    let path = format!("/v1/scans/{scan}");
    let Some((status, position, body)) = get(hand, &path, known.position, chance).await else {
        return;
    };
    let version = body["version"].as_u64().unwrap_or_default();
    if status != 200 || position < known.position || version < known.version {
        let told = format!("{status}, version {version} as of {position}: {body}");
        hand.record.broken(format!("{scan} is known as {known:?} and was read as {told}"));
        return;
    }
    hand.record.count("reads no older than asked for");
    // Every later reader may ask for what this one has seen.
    hand.record.learn(scan, version, position);
}

async fn list(hand: &Hand, scan: &str, known: Known, chance: &mut StdRng) {
    let path = format!("/v1/scans?limit={LIST}");
    let Some((status, position, body)) = get(hand, &path, known.position, chance).await else {
        return;
    };
    let scans = body["scans"].as_array().cloned().unwrap_or_default();
    let found = scans.iter().find(|item| item["id"] == scan);
    let version = found.and_then(|item| item["version"].as_u64()).unwrap_or_default();
    let full = scans.len() == LIST && found.is_none();
    if status != 200 || position < known.position || (version < known.version && !full) {
        let told = format!("{status}, version {version} as of {position}");
        hand.record.broken(format!("{scan} is known as {known:?} and was listed as {told}"));
    }
    hand.record.count("lists no older than asked for");
}

/// Status, position and body of an answer; `None` when the front end could not say.
async fn get(
    hand: &Hand,
    path: &str,
    min_position: u64,
    chance: &mut StdRng,
) -> Option<(u16, u64, Value)> {
    let request = hand.client.ask(Method::GET, path, chance);
    let response = request.header("Millrace-Min-Position", min_position).send().await.ok()?;
    let (status, position) = (response.status().as_u16(), position_of(&response));
    if status == 503 || status == 429 {
        hand.record.count("reads refused for now");
        return None;
    }
    let body = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
    Some((status, position, body))
}

fn position_of(response: &Response) -> u64 {
    let header = response.headers().get("millrace-position");
    header.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or_default()
}
