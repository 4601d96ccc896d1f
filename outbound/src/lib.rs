//! Requests to servers that somebody else has named.
//!
//! Which addresses may be reached is judged here, and nowhere else.

pub mod address;
mod client;

pub use address::AddressPolicy;
pub use client::{Answer, Client, Error, PlainHttp, is_secure};
