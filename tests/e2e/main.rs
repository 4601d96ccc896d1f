//! The running binary as its users see it: real servers, real scans, real signals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod installation;
mod operator;
mod roles;
mod scans;
mod shutdown;
mod support;
