//! What is measured of a build, and told.

use domain::Timestamp;
use journal::Journal;
use tokio::time::Instant;

use crate::{Generation, Status};

/// Weight of the newest batch in the smoothed speed.
const SMOOTHING: f64 = 0.2;

/// The speed of a build, in events a second.
#[derive(Default)]
pub(super) struct Speed {
    smoothed: f64,
    since: Option<Instant>,
}

impl Speed {
    pub fn get(&self) -> f64 {
        self.smoothed
    }

    /// The time since the last batch was spent on these events.
    pub fn add(&mut self, events: u64) {
        let now = Instant::now();
        let since = self.since.replace(now);
        let Some(seconds) = since.map(|since| (now - since).as_secs_f64()) else { return };
        let newest = events as f64 / seconds.max(1e-6);
        self.smoothed = if self.smoothed == 0.0 {
            newest
        } else {
            self.smoothed + SMOOTHING * (newest - self.smoothed)
        };
    }

    /// Time spent waiting for events does not count.
    pub fn rest(&mut self) {
        self.since = Some(Instant::now());
    }
}

pub(super) fn applied(name: &'static str, events: u64) {
    metrics::counter!("projection_events_total", "projection" => name).increment(events);
}

/// Of the build that answers queries. `last` is when its last event was recorded.
pub(super) fn lag(journal: &Journal, name: &'static str, position: u64, last: Option<Timestamp>) {
    let behind = journal.watch_head().borrow().saturating_sub(position);
    let seconds = match last {
        Some(last) if behind > 0 => {
            (journal.clock().now() - last).num_milliseconds().max(0) as f64 / 1000.0
        }
        _ => 0.0,
    };
    metrics::gauge!("projection_lag_positions", "projection" => name).set(behind as f64);
    metrics::gauge!("projection_lag_seconds", "projection" => name).set(seconds);
}

pub(super) fn dead_letters(name: &'static str, build: &Generation) {
    if build.status == Status::Live {
        metrics::gauge!("dead_letters", "projection" => name).set(build.dead_letters as f64);
    }
}
