//! The wiring of Millrace: configuration, telemetry and the roles of the one binary.

mod bench;
pub mod cli;
pub mod commands;
pub mod config;
mod demo;
mod endpoints;
mod first_start;
mod http;
mod installation;
mod lifecycle;
mod objects;
mod roles;
pub mod schemas;
pub mod telemetry;
