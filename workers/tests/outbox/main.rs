//! Mails and erasures, from the event in the log to a real SMTP server.
#![cfg(test)]

mod erasure;
mod mails;
mod world;
