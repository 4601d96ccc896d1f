//! A private Postgres and a private nats-server as child processes under a data directory.
//!
//! Nothing survives this process: each server is told by the kernel when the thread that started it
//! ends, so even `kill -9` shuts the servers down. A server that is found running all the same is
//! stopped before a new one starts on its files.

mod binaries;
mod child;
mod data_dir;
mod error;
mod identity;
mod nats;
mod orphan;
mod output;
mod postgres;
mod supervise;

pub use data_dir::DataDir;
pub use error::Error;
pub use nats::{Nats, NatsOptions};
pub use postgres::{Postgres, PostgresOptions};
