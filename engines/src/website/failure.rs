use std::{io, net::SocketAddr};

use outbound::address;

/// Why one request had no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Address(#[from] address::Error),
    #[error("no connection to {0}: {1}")]
    Connect(SocketAddr, io::Error),
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
    #[error("no answer came in time")]
    TimedOut,
    #[error("the answer is not valid HTTP: {0}")]
    NotHttp(String),
    #[error("the connection was closed before the answer was complete")]
    Closed,
    #[error("the exchange broke off: {0}")]
    Broken(String),
    #[error("the time of the scan is used up")]
    TimeUp,
    #[error("the scan has read as many bytes as it may")]
    BytesUp,
}

impl Failure {
    /// The code of the warning when the first page could not be had.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address(address::Error::Refused { .. }) => "address-refused",
            Self::Address(_) => "dns-failed",
            Self::NotHttp(_) => "not-http",
            Self::TimeUp => "time-limit",
            Self::BytesUp => "byte-limit",
            Self::Connect(..) | Self::Tls(_) | Self::TimedOut | Self::Closed | Self::Broken(_) => {
                "unreachable"
            }
        }
    }
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        if error.is_parse() {
            Self::NotHttp(error.to_string())
        } else if error.is_incomplete_message() {
            Self::Closed
        } else {
            Self::Broken(error.to_string())
        }
    }
}
