//! The running binary as its users see it: real servers, real scans, real signals.

mod installation;
mod operator;
mod roles;
mod scans;
mod shutdown;
mod support;
