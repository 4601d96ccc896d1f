use std::time::Duration;

use chrono::TimeDelta;
use ipnet::IpNet;
use url::Url;

use crate::{accounts::LoginOptions, limits::LimitOptions};

/// Limits and addresses of the front end.
#[derive(Debug, Clone)]
pub struct Options {
    /// How clients reach the server. With `https` browsers are told to stay with it.
    pub public_url: Option<Url>,
    /// Origins whose pages may call the API, exactly as browsers send them.
    pub cors_origins: Vec<String>,
    /// Cookies work without TLS: for this machine alone.
    pub insecure_cookies: bool,
    /// Connections open at the same time. When all are taken, the client that keeps the server
    /// waiting longest makes room for the next.
    pub max_connections: usize,
    /// Requests worked on at the same time. A few more wait for a moment, others are refused.
    pub max_requests: usize,
    /// Bytes of a request head.
    pub max_header_bytes: usize,
    /// Bytes of a request body.
    pub max_body_bytes: u64,
    /// For the whole head of a request, idle time between two requests included.
    pub header_timeout: Duration,
    /// For the whole body of a request.
    pub body_timeout: Duration,
    /// For the head of the answer. The body of an answer may take as long as it moves.
    pub request_timeout: Duration,
    /// A connection on which a write makes no progress for so long is closed.
    pub write_timeout: Duration,
    /// How long open requests may go on at shutdown.
    pub drain_timeout: Duration,
    /// Networks of the proxies in front, whose word is taken for the address of a client.
    pub trusted_proxies: Vec<IpNet>,
    /// How much who may ask for.
    pub limits: LimitOptions,
    /// Live streams open at the same time in all, and of one API key.
    pub max_streams: u32,
    pub streams_per_key: u32,
    /// Pause after which a live stream shows that it is alive.
    pub keep_alive: Duration,
    /// Wait of a read with `Millrace-Min-Position` when the client names none.
    pub default_wait: Duration,
    /// Longest wait a client can ask for.
    pub max_wait: Duration,
    /// Collectors of audit logs may be reached without TLS: for tests.
    pub plain_http_sinks: bool,
    /// How long an access token can be used, a day at most.
    pub access_token_life: TimeDelta,
    /// How long a key signs access tokens before the next one does.
    pub signing_keys_life: Option<TimeDelta>,
    /// How passwords are judged and hashed.
    pub passwords: credentials::password::PasswordOptions,
    /// Whom passkeys are made for; there are none without.
    pub passkeys: Option<credentials::passkey::RelyingPartyOptions>,
    /// How long an invitation can be accepted.
    pub invitation_life: TimeDelta,
    /// Who else may say who somebody is.
    pub login: LoginOptions,
    /// What authenticator apps call this installation.
    pub product: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: None,
            cors_origins: Vec::new(),
            insecure_cookies: false,
            max_connections: 4096,
            max_requests: 64,
            max_header_bytes: 32 * 1024,
            max_body_bytes: 1024 * 1024,
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
            trusted_proxies: Vec::new(),
            limits: LimitOptions::default(),
            max_streams: 1024,
            streams_per_key: 32,
            keep_alive: Duration::from_secs(15),
            default_wait: Duration::from_secs(2),
            max_wait: Duration::from_secs(10),
            plain_http_sinks: false,
            access_token_life: TimeDelta::minutes(15),
            signing_keys_life: None,
            passwords: credentials::password::PasswordOptions::default(),
            passkeys: None,
            invitation_life: TimeDelta::days(7),
            login: LoginOptions::default(),
            product: "Millrace".to_owned(),
        }
    }
}
