//! The rules of the house that no compiler holds.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod dependencies;
mod direction;
mod metrics;
mod schemas;
mod sources;
