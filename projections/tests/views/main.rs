//! The views against a real Postgres.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod account_tests;
mod audit_tests;
mod fault_tests;
mod freshness_tests;
mod member_tests;
mod poison_tests;
mod queue_tests;
mod rebuild_tests;
mod scan_tests;
mod world;
