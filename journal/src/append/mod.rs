//! Appending to the log in batches.
//!
//! One task owns one connection. It takes whatever requests arrived while the last commit was in
//! flight and appends them in a single round trip. A caller that goes away cannot abort a batch:
//! it only stops listening for its verdict.

mod appender;
mod batch;
mod request;

pub(crate) use appender::{Appender, Head, connect, spawn};
pub use request::{AppendError, AppendRequest, Appended, NewEvent, StoredResult};
