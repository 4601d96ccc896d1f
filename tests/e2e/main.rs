//! The running binary as its users see it: real servers, real scans, real signals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "cloud-objects")]
mod buckets;
mod erasure;
mod import;
mod installation;
mod journey;
mod mails;
mod many_findings;
mod openid;
mod operator;
mod person;
mod revocation;
mod roles;
mod rotation;
mod scans;
mod shutdown;
mod support;
mod suspension;
