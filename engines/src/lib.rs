//! The engines that look at a target.
//!
//! An engine runs in a process of its own inside the sandbox of the worker. It is told what to do
//! by one [`Spec`] on standard input and answers with one [`Message`] per line on standard output.
//! This crate therefore knows neither the log nor the network of the platform.

mod protocol;

pub use protocol::{Limits, Message, NetworkPolicy, Output, RunError, Spec, Work};
