use std::net::IpAddr;

use domain::ids::{ApiKeyId, UserId};
use poem_openapi::Object;

use crate::{
    limits::Standing,
    problem::{Code, Problem},
    state::App,
};

/// Whom to let go: one of them.
#[derive(Debug, Clone, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct ResetRequest {
    /// A client address.
    #[oai(skip_serializing_if_is_none)]
    pub address: Option<String>,
    /// A user or an API key.
    #[oai(skip_serializing_if_is_none)]
    pub id: Option<String>,
    /// An address of mail that somebody signs in with.
    #[oai(skip_serializing_if_is_none)]
    pub email: Option<String>,
}

/// How the limits stand with somebody.
#[derive(Debug, Object)]
#[oai(rename = "Limiter")]
pub(crate) struct LimiterView {
    pub limits: Vec<StandingView>,
    /// Wrong passwords in a row.
    pub wrong_guesses: u32,
    /// Until the next guess is looked at.
    pub guess_wait_s: u64,
}

#[derive(Debug, Object)]
#[oai(rename = "LimitStanding")]
pub(crate) struct StandingView {
    policy: String,
    limit: u32,
    window_s: u64,
    burst: u32,
    /// Requests that would pass now.
    remaining: u32,
    /// Until all of the burst would.
    full_in_s: u64,
}

impl From<Standing> for StandingView {
    fn from(standing: Standing) -> Self {
        Self {
            policy: standing.policy.name().to_owned(),
            limit: standing.quota.limit,
            window_s: standing.quota.window.as_secs(),
            burst: standing.quota.burst,
            remaining: standing.remaining,
            full_in_s: standing.full_in_s,
        }
    }
}

/// As a request names somebody.
pub(crate) struct Named {
    pub address: Option<String>,
    pub id: Option<String>,
    pub email: Option<String>,
}

impl From<&ResetRequest> for Named {
    fn from(asked: &ResetRequest) -> Self {
        let ResetRequest { address, id, email } = asked.clone();
        Self { address, id, email }
    }
}

pub(crate) enum Held {
    Address(IpAddr),
    User(UserId),
    Key(ApiKeyId),
    /// The place of the address in the blind index.
    Email(String),
}

impl Held {
    pub async fn parse(app: &App, named: Named) -> Result<Self, Problem> {
        let refused =
            |field: &str, text: &str| Problem::new(Code::ValidationFailed, text).at(field, text);
        match (named.address, named.id, named.email) {
            (Some(address), None, None) => {
                let address = address.parse().map(Self::Address);
                address.map_err(|_| refused("address", "this is no address"))
            }
            (None, Some(id), None) => {
                let user = id.parse().map(Self::User);
                let held = user.or_else(|_| id.parse().map(Self::Key));
                held.map_err(|_| refused("id", "this is the id of no user and no API key"))
            }
            (None, None, Some(email)) => {
                let email =
                    email.parse().map_err(|_| refused("email", "this is no address of mail"))?;
                Ok(Self::Email(app.desk().await?.index.email(&email).to_string()))
            }
            _ => Err(Problem::parameter("address", "give one of `address`, `id` and `email`")),
        }
    }
}
