//! The wiring of Millrace: configuration, telemetry and the roles of the one binary.

pub mod cli;
pub mod commands;
pub mod config;
mod demo;
mod endpoints;
mod first_start;
mod http;
mod installation;
mod roles;
pub mod schemas;
pub mod telemetry;
