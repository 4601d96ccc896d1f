//! The front end as a client meets it: a real server on a port of its own, on real Postgres and
//! NATS. No worker runs; scans are moved on by the commands that a worker would give.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod accounts;
mod admin;
mod attacks;
mod audit;
mod commands;
mod dead_letters;
mod document;
mod door;
mod events;
mod explain;
mod fuzz;
mod isolation;
mod keys;
mod leaks;
mod limits;
mod logs;
mod operations;
mod organizations;
mod policies;
mod problems;
mod projections;
mod quiet;
mod rates;
mod reads;
mod reports;
mod sarif;
mod signatures;
mod support;
