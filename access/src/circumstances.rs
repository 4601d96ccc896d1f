use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// With what the account has here: a password or a passkey.
pub const BY_ACCOUNT: &str = "account";
/// An API key.
pub const BY_KEY: &str = "key";
/// A token of an older backend.
pub const BY_BACKEND: &str = "backend";
/// An operator, who acts as the principal.
pub const BY_OPERATOR: &str = "operator";

/// What no provider may be called.
pub const SIGNED_IN_BY: [&str; 4] = [BY_ACCOUNT, BY_KEY, BY_BACKEND, BY_OPERATOR];

/// Under which circumstances something is asked for. What is not known is `None`: a condition on
/// it keeps an allow from matching, and does not keep a deny from matching.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circumstances {
    pub time: Option<DateTime<Utc>>,
    /// Where the request came from, behind the proxies that are trusted.
    pub address: Option<IpAddr>,
    /// Whether a second factor was given in this session. An API key has none.
    pub second_factor: Option<bool>,
    /// By whom the principal was let in: the name of a provider, [`BY_ACCOUNT`], [`BY_KEY`],
    /// [`BY_BACKEND`] or [`BY_OPERATOR`].
    pub signed_in_by: Option<String>,
    pub project: Option<String>,
    pub environment: Option<String>,
    /// An operator acts as the principal.
    pub impersonated: bool,
}
