//! The single checks. Those of an answer that is already there are plain functions; the others ask.

pub(super) mod certificate;
pub(super) mod content;
pub(super) mod cookies;
pub(super) mod cors;
mod csp;
pub(super) mod exposed;
pub(super) mod headers;
pub(super) mod leaks;
pub(super) mod methods;
pub(super) mod tls_versions;
pub(super) mod transport;
pub(super) mod wellknown;
