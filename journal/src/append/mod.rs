//! Appending to the log in batches.
//!
//! One task owns one connection. It takes whatever requests arrived while the last commit was in
//! flight and appends them in a single round trip. A caller that goes away cannot abort a batch:
//! it only stops listening for its verdict.

mod appender;
mod batch;
mod fate;
mod gather;
mod queue;
mod request;
#[cfg(test)]
mod tests;

use tokio::sync::watch;

pub(crate) use appender::{connect, spawn};
pub(crate) use fate::{Fate, Standing};
pub(crate) use queue::Appender;
pub use request::{AppendError, AppendRequest, Appended, NewEvent, StoredResult};

/// The last position that is known to be committed.
pub(crate) type Head = watch::Sender<u64>;

/// Somebody saw that the log reaches `position`.
pub(crate) fn advance(head: &Head, position: u64) {
    head.send_if_modified(|head| {
        let moved = position > *head;
        *head = (*head).max(position);
        moved
    });
}
