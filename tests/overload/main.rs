//! More than the platform can take, and clients that take their time: what it refuses it refuses fast,
//! what it takes it keeps, and nothing in it grows.
//!
//! `MILLRACE_OVERLOAD_SECONDS` sets how long the flood lasts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flood;
mod http;
mod process;
mod slow;
#[path = "../e2e/support.rs"]
#[expect(dead_code, reason = "the journeys use the rest")]
mod support;

use std::time::Duration;

/// The smallest of them under which so many in a hundred lie.
fn percentile(durations: &mut [Duration], percent: usize) -> Duration {
    durations.sort_unstable();
    let place = (durations.len() * percent / 100).min(durations.len().saturating_sub(1));
    durations.get(place).copied().unwrap_or_default()
}
