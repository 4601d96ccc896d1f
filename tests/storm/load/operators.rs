//! Two operators who want the same slug for their organisation at the same time.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};

use super::Hand;
use crate::record::{Founded, Founding};

const PAUSE_MILLIS: std::ops::Range<u64> = 500..2500;

/// Founds organisations until the storm is over, then finds out about those it does not know of.
pub async fn found(hand: Hand, mut chance: StdRng) {
    let mut slugs = 0;
    while !hand.is_calm() {
        // Now and then one that somebody has, or may have, already.
        let number = if slugs > 0 && chance.random_bool(0.3) {
            chance.random_range(0..slugs)
        } else {
            slugs += 1;
            slugs - 1
        };
        tokio::join!(create(&hand, number), create(&hand, number));
        let pause = Duration::from_millis(chance.random_range(PAUSE_MILLIS));
        tokio::time::sleep(pause).await;
    }
    for number in 0..slugs {
        while !is_known(&hand, number) {
            create(&hand, number).await;
        }
    }
}

fn slug(number: u32) -> String {
    format!("team-{number}")
}

fn is_known(hand: &Hand, number: u32) -> bool {
    let foundings = hand.record.foundings();
    let mut of_slug = foundings.iter().filter(|founding| founding.slug == slug(number));
    of_slug.any(|founding| founding.outcome != Founded::Unknown)
}

async fn create(hand: &Hand, number: u32) {
    let slug = slug(number);
    let arguments = ["organizations", "create", "--name", "Team", "--slug", &slug];
    let outcome = match hand.world.run(&arguments).await {
        Some(output) if output.status.success() => {
            Founded::Made { id: String::from_utf8_lossy(&output.stdout).trim().to_owned() }
        }
        Some(output) if String::from_utf8_lossy(&output.stderr).contains("is already taken") => {
            Founded::Taken
        }
        _ => Founded::Unknown,
    };
    hand.record.count(match outcome {
        Founded::Made { .. } => "organisations made",
        Founded::Taken => "slugs taken",
        Founded::Unknown => "organisations unknown",
    });
    hand.record.add_founding(Founding { slug, outcome });
}
