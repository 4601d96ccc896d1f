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

/// How long the oldest event that is not in the view has waited for it.
#[derive(Default)]
pub(super) struct Lag {
    since: Option<Timestamp>,
}

impl Lag {
    /// The first event that is not in the view was recorded then; none when it was not read yet.
    pub fn waits_since(&mut self, recorded_at: Option<Timestamp>) {
        self.since = recorded_at;
    }

    /// Of the build that answers queries.
    pub fn report(&mut self, journal: &Journal, name: &'static str, position: u64) {
        let behind = journal.watch_head().borrow().saturating_sub(position);
        let seconds = self.seconds(behind, journal.clock().now());
        metrics::gauge!("projection_lag_positions", "projection" => name).set(behind as f64);
        metrics::gauge!("projection_lag_seconds", "projection" => name).set(seconds);
    }

    fn seconds(&mut self, behind: u64, now: Timestamp) -> f64 {
        if behind == 0 {
            self.since = None;
            return 0.0;
        }
        // An event that cannot be read waits at least since it was missed.
        let since = *self.since.get_or_insert(now);
        (now - since).num_milliseconds().max(0) as f64 / 1000.0
    }
}

pub(super) fn dead_letters(name: &'static str, build: &Generation) {
    if build.status == Status::Live {
        metrics::gauge!("dead_letters", "projection" => name).set(build.dead_letters as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap_or_default()
    }

    #[test]
    fn the_lag_is_the_age_of_the_first_event_that_is_missing() {
        let mut lag = Lag::default();
        lag.waits_since(Some(at(0)));
        assert_eq!(lag.seconds(3, at(2)), 2.0);
        lag.waits_since(Some(at(1)));
        assert_eq!(lag.seconds(2, at(2)), 1.0);
        assert_eq!(lag.seconds(0, at(2)), 0.0);
        assert_eq!(lag.seconds(1, at(3600)), 0.0, "an idle hour is no lag");
    }

    #[test]
    fn a_view_that_can_read_nothing_lags_since_it_fell_behind() {
        let mut lag = Lag::default();
        assert_eq!(lag.seconds(5, at(0)), 0.0);
        assert_eq!(lag.seconds(9, at(90)), 90.0);
    }
}
