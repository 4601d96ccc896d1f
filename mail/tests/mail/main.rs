//! Mails against a real SMTP server, servers that misbehave, and folders.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod folder;
mod smtp;
mod support;
mod words;
