//! The views against a real Postgres.

mod fault_tests;
mod freshness_tests;
mod poison_tests;
mod queue_tests;
mod rebuild_tests;
mod scan_tests;
mod world;
