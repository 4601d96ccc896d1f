//! The job runtime, the dispatcher, the sweeper and the scan worker, against a real Postgres and a
//! real nats-server.
#![cfg(test)]

mod bench;
mod dispatcher;
mod pointers;
mod runtime;
mod scans;
mod sweeper;
