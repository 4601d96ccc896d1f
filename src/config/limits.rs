use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use api::limits::Quota;
use domain::ids::ApiKeyId;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::Faults;
use super::layers::Section;

/// How much who may ask for. Replicas count together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Of somebody who has signed in.
    pub user: Rate,
    /// Of a client address whose requests are not signed in, or that proves wrong who it is.
    pub address: Rate,
    /// Of an API key that has no limit of its own.
    pub key: Rate,
    /// Attempts to sign in, of a client address.
    pub login: Rate,
    /// Sign-ins through a provider or by a passkey that are begun, of a client address.
    pub login_begin: Rate,
    /// Of a client address.
    pub sign_up: Rate,
    /// Requests for a new password, of a client address and for an address of mail.
    pub reset: Rate,
    /// Invitations by mail, of whoever invites and for an address of mail.
    pub invite: Rate,
    /// Requests that a language model answers, of whoever asks.
    pub ai: Rate,
    /// Wrong passwords in a row for one account that cost no delay; after that the delay doubles.
    pub free_guesses: u32,
    /// Likewise from one client address.
    pub free_guesses_of_address: u32,
    pub guess_delay_s: u32,
    pub guess_delay_max_s: u32,
    /// Networks whose requests are not counted.
    pub allowed_networks: Vec<IpNet>,
    /// API keys whose requests are not counted.
    pub allowed_keys: Vec<ApiKeyId>,
}

/// So many requests in so many seconds, and so many of them at once: `100/900s burst 10`. Without a
/// burst all of them may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub requests: u32,
    pub seconds: u32,
    pub burst: u32,
}

impl Rate {
    pub const fn per_minute(requests: u32) -> Self {
        Self { requests, seconds: 60, burst: requests }
    }

    const fn new(requests: u32, seconds: u32, burst: u32) -> Self {
        Self { requests, seconds, burst }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            user: Rate::per_minute(100),
            address: Rate::new(100, 900, 10),
            key: Rate::per_minute(600),
            login: Rate::new(10, 900, 5),
            login_begin: Rate::new(30, 900, 10),
            sign_up: Rate::new(10, 3600, 5),
            reset: Rate::new(10, 3600, 5),
            invite: Rate::new(50, 3600, 20),
            ai: Rate::new(20, 60, 5),
            free_guesses: 3,
            free_guesses_of_address: 10,
            guess_delay_s: 1,
            guess_delay_max_s: 300,
            allowed_networks: Vec::new(),
            allowed_keys: Vec::new(),
        }
    }
}

impl Section for Limits {
    const NAME: &'static str = "limits";

    fn check(&self, faults: &mut Faults) {
        for (name, rate) in [
            ("user", self.user),
            ("address", self.address),
            ("key", self.key),
            ("login", self.login),
            ("login_begin", self.login_begin),
            ("sign_up", self.sign_up),
            ("reset", self.reset),
            ("invite", self.invite),
            ("ai", self.ai),
        ] {
            let key = format!("limits.{name}");
            faults.range(&key, rate.requests, 1..=100_000_000);
            faults.range(&key, rate.seconds, 1..=Quota::MAX_WINDOW.as_secs() as u32);
            faults.range(&key, rate.burst, 1..=rate.requests.max(1));
        }
        faults.range("limits.free_guesses", self.free_guesses, 1..=1000);
        faults.range("limits.free_guesses_of_address", self.free_guesses_of_address, 1..=100_000);
        faults.range("limits.guess_delay_s", self.guess_delay_s, 0..=3600);
        faults.range("limits.guess_delay_max_s", self.guess_delay_max_s, self.guess_delay_s..=3600);
    }
}

impl From<Rate> for Quota {
    fn from(rate: Rate) -> Self {
        Self::new(rate.requests, Duration::from_secs(rate.seconds.into()), rate.burst)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, seconds, burst } = self;
        write!(f, "{requests}/{seconds}s burst {burst}")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a limit is written as `100/900s` or `100/900s burst 10`")]
pub struct RateForm;

impl FromStr for Rate {
    type Err = RateForm;

    fn from_str(text: &str) -> Result<Self, RateForm> {
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| RateForm);
        let (rate, burst) = match text.split_once("burst") {
            Some((rate, burst)) => (rate, Some(number(burst)?)),
            None => (text, None),
        };
        let (requests, window) = rate.split_once('/').ok_or(RateForm)?;
        let seconds = number(window.trim().strip_suffix('s').ok_or(RateForm)?)?;
        let requests = number(requests)?;
        Ok(Self { requests, seconds, burst: burst.unwrap_or(requests) })
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
