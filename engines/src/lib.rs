//! The engines that look at a target.
//!
//! An engine runs in a process of its own inside the sandbox of the worker. It is told what to do
//! by one [`Spec`] on standard input and answers with one [`Message`] per line on standard output.
//! This crate therefore knows neither the log nor the network of the platform.

pub mod advisories;
pub mod dependencies;
mod protocol;
mod report;
pub mod secrets;
mod tree;
pub mod website;

pub use protocol::{Limits, Message, NetworkPolicy, Output, RunError, Spec, Work};
