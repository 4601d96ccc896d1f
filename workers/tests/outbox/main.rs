//! Mails and erasures, from the event in the log to a real SMTP server.
#![cfg(test)]

mod erasure;
mod invitations;
mod mails;
mod world;
