//! Audit logs on their way to a collector: a real server, and a real log.
#![cfg(test)]

mod collector;
mod deliveries;
mod world;
