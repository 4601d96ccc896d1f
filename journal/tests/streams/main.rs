//! The streams of jobs and of their lines, and the connection they share.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bus;
mod fixture;
mod jobs;
mod logs;
