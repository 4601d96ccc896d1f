//! The HTTP client of the command line.

use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client whose requests end within `timeout`, or run as long as they like.
pub fn client(timeout: Option<Duration>) -> reqwest::Result<reqwest::Client> {
    choose_tls_provider();
    let builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT);
    match timeout {
        Some(timeout) => builder.timeout(timeout).build(),
        None => builder.build(),
    }
}

/// The same one everywhere, which a client needs before it is made.
pub fn choose_tls_provider() {
    // Chosen already when the process has made a client before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
