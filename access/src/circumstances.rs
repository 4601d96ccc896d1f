use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// Under which circumstances something is asked for. What is not known is `None`: a condition on
/// it keeps an allow from matching, and does not keep a deny from matching.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circumstances {
    pub time: Option<DateTime<Utc>>,
    /// Where the request came from, behind the proxies that are trusted.
    pub address: Option<IpAddr>,
    /// Whether a second factor was given in this session. An API key has none.
    pub second_factor: Option<bool>,
    pub project: Option<String>,
    pub environment: Option<String>,
    /// An operator acts as the principal.
    pub impersonated: bool,
}
