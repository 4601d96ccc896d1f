//! Real servers for tests, on this machine alone and gone with the test process.
//!
//! One Postgres per test process, started by the first test that asks, with a fresh database for each
//! test. It does not sync to disk: nothing in it outlives the process. Tests of crashes take a
//! [`postgres`] of their own, which does. Each [`nats`] is a server of its own.
//!
//! Everything here panics when a server cannot be had, since it serves tests only.

mod database;
mod mutation;
mod scratch;
mod servers;
mod sink;
mod totp;

pub use database::{TestDatabase, database};
pub use mutation::{cases, misshapen, mutated, odd_text};
pub use servers::{TestNats, TestPostgres, nats, postgres};
pub use sink::{ArrivedMail, MailSink};
pub use totp::totp;

/// The programs to run, by the same variables as the product: `MILLRACE_DATABASE__BINARIES` (a
/// folder) and `MILLRACE_NATS__BINARY` (a file).
fn configured(variable: &str) -> Option<std::path::PathBuf> {
    std::env::var_os(variable).map(Into::into)
}
