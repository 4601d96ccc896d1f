//! What may happen: aggregates, commands, events and refusals.
//!
//! Everything here is pure. A decision is a function of the folded state and a command; the time,
//! ids and randomness a command needs are its fields. Nothing in this crate reads a clock, a
//! database or the network.

pub mod address_blocks;
mod aggregate;
pub mod audit;
pub mod event;
pub mod factors;
pub mod ids;
pub mod jobs;
pub mod organizations;
mod pii;
mod reason;
pub mod scans;
mod service;
pub mod sessions;
pub mod upcast;
pub mod users;

pub use aggregate::{ClaimChange, Decide, Decision};
pub use event::Event;
pub use pii::{NotSealed, PersonalField, PersonalValue, Pii, Sealed};
pub use service::Service;

/// The time of everything in the log: UTC.
pub type Timestamp = chrono::DateTime<chrono::Utc>;
