use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use credentials::{
    jose::{Algorithm, Jwks, JwksError, MAX_JWKS_BYTES},
    oidc::{
        Discovery, DiscoveryError, Issuer, KeyCache, KeyCacheOptions, MAX_DISCOVERY_BYTES, Need,
    },
};
use domain::Timestamp;
use outbound::Client;
use reqwest::{Method, StatusCode};
use url::Url;

use super::ProviderOptions;
use crate::problem::{Code, Problem};

/// How long is believed what an issuer says of itself.
const DISCOVERED_FOR: TimeDelta = TimeDelta::hours(1);

/// A configured provider, and what is known of it.
pub(super) struct Provider {
    pub options: ProviderOptions,
    pub issuer: Issuer,
    discovered: Mutex<Option<(Arc<Discovery>, Timestamp)>>,
    keys: Mutex<KeyCache>,
    /// Whoever holds it asks the issuer for its keys.
    asking: tokio::sync::Mutex<()>,
}

/// Why a provider is of no use now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Request(#[from] outbound::Error),
    #[error("{0} was answered with {1}")]
    Status(&'static str, StatusCode),
    #[error("the answer to {0} is too large")]
    TooLarge(&'static str),
    #[error("the answer to {0} cannot be read")]
    Malformed(&'static str),
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error("the issuer has no {0}")]
    Lacks(&'static str),
    #[error(transparent)]
    Keys(#[from] JwksError),
}

impl Provider {
    pub fn new(options: ProviderOptions, keys: KeyCacheOptions) -> Self {
        Self {
            issuer: Issuer::new(options.issuer.clone()),
            options,
            discovered: Mutex::default(),
            keys: Mutex::new(KeyCache::new(keys)),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// The public keys of the issuer, those that a token with this key id needs among them if there are
    /// any. None when it could not be asked for too long.
    pub async fn keys(
        self: &Arc<Self>,
        client: &Client,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Arc<Jwks>>, Fault> {
        {
            let mut cache = lock(&self.keys);
            if let Some(keys) = cache.keys(now).filter(|keys| keys.knows(kid)) {
                if cache.need(kid, now) == Need::Soon {
                    cache.asked(now);
                    drop(cache);
                    let (provider, client) = (Arc::clone(self), client.clone());
                    tokio::spawn(async move {
                        if let Err(error) = provider.fetch_keys(&client, now).await {
                            provider.complain(&error);
                        }
                    });
                }
                return Ok(Some(keys));
            }
        }
        // Who comes first asks, and the others take what comes of it.
        let _turn = self.asking.lock().await;
        if lock(&self.keys).need(kid, now) == Need::Now {
            lock(&self.keys).asked(now);
            self.fetch_keys(client, now).await?;
        }
        Ok(lock(&self.keys).keys(now))
    }

    async fn fetch_keys(&self, client: &Client, now: Timestamp) -> Result<(), Fault> {
        let url = match &self.options.jwks_url {
            Some(url) => url.clone(),
            None => self.discovery(client, now).await?.jwks_uri.clone(),
        };
        let document = get(client, &url, "the keys of the issuer", MAX_JWKS_BYTES).await?;
        let keys = Jwks::parse(&document)?;
        lock(&self.keys).store(keys, now);
        Ok(())
    }

    pub async fn discovery(
        &self,
        client: &Client,
        now: Timestamp,
    ) -> Result<Arc<Discovery>, Fault> {
        let known = lock(&self.discovered).clone();
        if let Some((discovery, _)) = known.filter(|(_, at)| now - *at < DISCOVERED_FOR) {
            return Ok(discovery);
        }
        let url = Url::parse(&self.issuer.discovery_url())
            .map_err(|_| Fault::Malformed("the name of the issuer"))?;
        let document = get(client, &url, "the issuer's discovery document", MAX_DISCOVERY_BYTES);
        let discovery = Arc::new(Discovery::parse(&document.await?, &self.issuer)?);
        *lock(&self.discovered) = Some((Arc::clone(&discovery), now));
        Ok(discovery)
    }

    /// Any that a key of the issuer is for: what a key may check follows from the key.
    pub const ALGORITHMS: [Algorithm; 4] = Algorithm::ALL;

    /// What a client is told, which is less than the log is.
    pub fn failed(&self, fault: &Fault) -> Problem {
        self.complain(fault);
        let detail = format!("the provider `{}` is of no use now", self.options.name);
        Problem::new(Code::Unavailable, detail).retry_after(30)
    }

    fn complain(&self, error: &Fault) {
        tracing::warn!(provider = self.options.name, %error, "a provider of logins failed");
    }
}

pub(super) async fn get(
    client: &Client,
    url: &Url,
    what: &'static str,
    max_bytes: usize,
) -> Result<Vec<u8>, Fault> {
    let answer = client.send(client.request(Method::GET, url)?, max_bytes).await?;
    if answer.status != StatusCode::OK {
        return Err(Fault::Status(what, answer.status));
    }
    if answer.cut { Err(Fault::TooLarge(what)) } else { Ok(answer.body) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
