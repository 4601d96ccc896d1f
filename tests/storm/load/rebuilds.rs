//! An operator who has views built anew while they are used, looks whether they are the same, and
//! lets the new ones answer.

use std::time::Duration;

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};
use tokio::time::sleep;

use super::Hand;
use crate::checker::builds::{Comparison, VIEWS, compare};

const PAUSE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(100);
/// Two builds that move seldom stand at one position.
const LOOKS: usize = 50;

/// Rebuilds views until the storm is over, and leaves one build of each behind.
pub async fn rebuild(hand: Hand, mut chance: StdRng) {
    while !hand.is_calm() {
        let view = VIEWS.choose(&mut chance).copied().unwrap_or(VIEWS[0]);
        hand.world.run(&["projections", "rebuild", view]).await;
        same(&hand, view).await;
        if chance.random_bool(0.5) {
            hand.world.run(&["projections", "switch", view]).await;
            same(&hand, view).await;
        }
        give_up(&hand, view).await;
        sleep(PAUSE).await;
    }
    for view in VIEWS {
        while builds(&hand, view).await != Some(1) {
            give_up(&hand, view).await;
        }
    }
}

/// One of the two is refused, as the other build is either on standby or not live yet.
async fn give_up(hand: &Hand, view: &str) {
    for way in ["cancel", "drop"] {
        hand.world.run(&["projections", way, view]).await;
    }
}

async fn same(hand: &Hand, view: &str) {
    for _ in 0..LOOKS {
        match compare(&hand.world.pool, view).await {
            Ok(Comparison::Same(_)) => return hand.record.count("builds found the same"),
            Ok(Comparison::Differ(how)) => return hand.record.broken(how),
            Ok(Comparison::NotLevel) | Err(_) => sleep(LOOK).await,
        }
    }
}

async fn builds(hand: &Hand, view: &str) -> Option<i64> {
    sqlx::query_scalar("SELECT count(*) FROM projections WHERE name = $1")
        .bind(view)
        .fetch_one(&hand.world.pool)
        .await
        .ok()
}
