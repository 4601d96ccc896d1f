//! The promises of the log, against a real Postgres.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod batches;
mod chains;
mod execute;
mod personal;
mod positions;
mod stores;
mod support;
mod uniqueness;
