//! Others whose word is taken for who somebody is: issuers of OpenID Connect, GitHub, and an older backend.
//!
//! A person at a provider is its issuer and their subject there. Whom they are here is a claim, whose key is
//! the place of both in the blind index; addresses change hands, and say it only where the operator wants it.

mod bearer;
mod flow;
mod github;
mod oidc;
mod operations;
mod options;
mod provider;
mod sign_in;

use std::{sync::Arc, time::Duration};

use credentials::legacy_token::LegacyTokens;
use domain::{
    Timestamp,
    ids::UserId,
    users::{IDENTITY_CLAIM, User},
};
use outbound::{Client, PlainHttp};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use super::{factors, session::state};
use crate::{problem::Problem, state::App};
pub(crate) use operations::ProviderLogins;
pub use options::{ClientOptions, LoginOptions, ProviderKind, ProviderOptions};
use provider::Provider;

/// For one request to a provider.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A person who was looked up is looked up again after this time, so that what happened to their account
/// holds on every replica in less than a second.
const KNOWN_FOR: Duration = Duration::from_millis(500);
const MAX_KNOWN: usize = 10_000;

pub(crate) struct Providers {
    list: Vec<Arc<Provider>>,
    legacy: Option<LegacyTokens>,
    client: Client,
    known: Cache<String, (Arc<Known>, Instant)>,
}

/// Whom somebody is here, and what matters of their account.
#[derive(Debug)]
struct Known {
    user: UserId,
    has_second_factor: bool,
    suspended: bool,
    /// Tokens from before are worth nothing.
    sessions_ended_at: Option<Timestamp>,
}

impl Providers {
    pub fn new(options: &LoginOptions) -> Result<Self, Problem> {
        let legacy = options.legacy_secret.as_ref().map(LegacyTokens::new).transpose();
        let agent = concat!("millrace/", env!("CARGO_PKG_VERSION"));
        let addresses = options.addresses.clone();
        let list = options.providers.iter().cloned();
        let list = list.map(|provider| Arc::new(Provider::new(provider, options.keys.clone())));
        Ok(Self {
            list: list.collect(),
            legacy: legacy.map_err(|error| Problem::internal(&error))?,
            client: Client::new(addresses, PlainHttp::ThisMachine, TIMEOUT, agent),
            known: Cache::new(MAX_KNOWN),
        })
    }

    /// This replica looks again at once.
    pub fn forget(&self, user: UserId) {
        self.known.retain(|_, (known, _)| known.user != user);
    }

    /// The account that a person at a provider is linked to.
    async fn linked(&self, app: &App, index: &str) -> Result<Option<Arc<Known>>, Problem> {
        self.known(app, index, async {
            let found = app.journal.claimed_by(IDENTITY_CLAIM, index).await;
            let found = found.map_err(|error| Problem::unavailable(&error))?;
            found.map(|id| id.parse().map_err(|error| Problem::internal(&error))).transpose()
        })
        .await
    }

    /// What was found a moment ago, or is found now.
    async fn known(
        &self,
        app: &App,
        key: &str,
        find: impl Future<Output = Result<Option<UserId>, Problem>>,
    ) -> Result<Option<Arc<Known>>, Problem> {
        if let Some((known, until)) = self.known.get(key)
            && Instant::now() < until
        {
            return Ok(Some(known));
        }
        let until = Instant::now() + KNOWN_FOR;
        let Some(user) = find.await? else { return Ok(None) };
        let account = state::<User>(app, user, &user.to_string()).await?;
        let Some(account) = account.filter(|found| found.email_verified) else { return Ok(None) };
        let known = Arc::new(Known {
            user,
            has_second_factor: factors::of(app, user).await?.any(),
            suspended: account.suspended,
            sessions_ended_at: account.sessions_ended_at,
        });
        self.known.insert(key.to_owned(), (Arc::clone(&known), until));
        Ok(Some(known))
    }
}

/// The place of a person at an issuer in the blind index. A name of an issuer has no line break.
fn identity_index(index: &vault::BlindIndex, issuer: &str, subject: &str) -> String {
    index.value("identity", &format!("{issuer}\n{subject}")).to_string()
}
