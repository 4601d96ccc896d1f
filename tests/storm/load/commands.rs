//! Commands of all sorts, most of them sensible.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::Hand;
use crate::record::{Answer, Command, Receipt, What};

const PAUSE_MILLIS: std::ops::Range<u64> = 50..500;
/// Between two scans of one commander that are left to run: so many can be run in time.
const RUN_EVERY: Duration = Duration::from_secs(3);
const BURST: usize = 12;
const CROWD: usize = 16;
const CANCEL_AFTER_MILLIS: std::ops::Range<u64> = 0..2000;

/// Gives commands until the storm is over.
pub async fn give(hand: Hand, number: u64, mut chance: StdRng) {
    let mut run_at = Instant::now();
    for count in 0.. {
        if hand.is_calm() {
            return;
        }
        let key = format!("c{number}-{count}");
        match chance.random_range(0..100) {
            0..6 => burst(&hand, &key, &mut chance).await,
            6..12 => crowd(&hand, &key, &mut chance).await,
            12..70 => {
                let run = Instant::now() >= run_at;
                if run {
                    run_at += RUN_EVERY;
                }
                scan(&hand, &key, run, &mut chance).await;
            }
            70..80 => again(&hand, &key, &mut chance).await,
            80..88 => cancel_any(&hand, &key, &mut chance).await,
            88..94 => {
                hand.record.count("nonsense");
                hand.client.command(&hand.record, &key, What::Nonsense, &mut chance).await;
            }
            _ => key_of_another(&hand, &key, &mut chance).await,
        }
        sleep(Duration::from_millis(chance.random_range(PAUSE_MILLIS))).await;
    }
}

/// Asks for a scan. One that is not left to run is cancelled, at once or while it runs.
async fn scan(hand: &Hand, key: &str, run: bool, chance: &mut StdRng) {
    let what = What::Request { tree: chance.random_range(0..hand.client.trees()) };
    hand.record.count("scans");
    let answer = hand.client.command(&hand.record, key, what, chance).await;
    let Answer::Accepted(receipt) = answer else {
        hand.record.broken(format!("a good request was refused: {answer:?}"));
        return;
    };
    if run {
        return;
    }
    if chance.random_bool(0.3) {
        sleep(Duration::from_millis(chance.random_range(CANCEL_AFTER_MILLIS))).await;
    }
    let pinned = chance.random_bool(0.3).then_some(receipt.version);
    cancel(hand, &format!("{key}-x"), receipt.id, pinned, chance).await;
}

/// Many scans at the same moment, so that many are appended together.
async fn burst(hand: &Hand, key: &str, chance: &mut StdRng) {
    let mut scans = JoinSet::new();
    for number in 0..BURST {
        let (hand, key) = (hand.clone(), format!("{key}-b{number}"));
        let mut chance = StdRng::from_rng(chance);
        scans.spawn(async move { scan(&hand, &key, false, &mut chance).await });
    }
    while let Some(ended) = scans.join_next().await {
        ended.unwrap();
    }
}

/// Many commands for one aggregate at the same moment, each of which is good on any state.
async fn crowd(hand: &Hand, key: &str, chance: &mut StdRng) {
    let mut renames = JoinSet::new();
    for number in 0..CROWD {
        let (hand, key) = (hand.clone(), format!("{key}-n{number}"));
        let mut chance = StdRng::from_rng(chance);
        renames.spawn(async move {
            hand.record.count("renames");
            let what = What::Rename { name: key.clone() };
            let answer = hand.client.command(&hand.record, &key, what, &mut chance).await;
            if !matches!(answer, Answer::Accepted(_)) {
                hand.record.broken(format!("a good command was refused: {answer:?}"));
            }
        });
    }
    while let Some(ended) = renames.join_next().await {
        ended.unwrap();
    }
}

async fn cancel(hand: &Hand, key: &str, scan: String, pinned: Option<u64>, chance: &mut StdRng) {
    hand.record.count("cancels");
    let what = What::Cancel { scan, pinned };
    hand.client.command(&hand.record, key, what, chance).await;
}

async fn cancel_any(hand: &Hand, key: &str, chance: &mut StdRng) {
    let Some(scan) = hand.record.scans().choose(chance).cloned() else { return };
    let version = hand.record.known(&scan).version;
    cancel(hand, key, scan, chance.random_bool(0.5).then_some(version), chance).await;
}

/// Repeats an accepted command unchanged: the answer is the one of then.
async fn again(hand: &Hand, key: &str, chance: &mut StdRng) {
    let Some((earlier, first)) = accepted(hand, chance) else { return };
    hand.record.count("repeats");
    let (what, original) = (earlier.what.clone(), earlier.key.clone());
    let answer = hand.client.repeat(&hand.record, key, &original, &what, chance).await;
    let expected = Receipt { replayed: true, ..first.clone() };
    if answer != Answer::Accepted(expected) {
        hand.record.broken(format!("{what:?} came to {first:?}, and repeated to {answer:?}"));
    }
}

async fn key_of_another(hand: &Hand, key: &str, chance: &mut StdRng) {
    let Some((earlier, _)) = accepted(hand, chance) else { return };
    hand.record.count("keys used twice");
    let what = What::KeyOfAnother { key: earlier.key };
    let answer = hand.client.command(&hand.record, key, what, chance).await;
    if !matches!(&answer, Answer::Refused { code, .. } if code == "idempotency-key-reused") {
        hand.record.broken(format!("a key was taken for another request: {answer:?}"));
    }
}

fn accepted(hand: &Hand, chance: &mut StdRng) -> Option<(Command, Receipt)> {
    let commands = hand.record.commands();
    let earlier = commands.choose(chance)?;
    match (&earlier.what, &earlier.answer) {
        (
            What::Request { .. } | What::Cancel { .. } | What::Rename { .. },
            Answer::Accepted(receipt),
        ) => Some((earlier.clone(), receipt.clone())),
        _ => None,
    }
}
