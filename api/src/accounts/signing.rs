use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::TimeDelta;
use credentials::access::{AccessVerifier, SigningKeys};
use journal::{Journal, PersonalError};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::{problem::Problem, state::App};

/// The name under which the keys are kept.
const STORED: &str = "access token signing keys";
const LEEWAY_SECONDS: u32 = 5;
/// A replica signs with a former key for so long at most. It stays far below the leeway for which a former
/// key is known after its last token has expired.
const FRESH: Duration = Duration::from_secs(5);
/// No access token lives longer, however the installation is configured.
pub(super) const MAX_TOKEN_LIFE: TimeDelta = TimeDelta::hours(24);

/// The keys that sign access tokens, as this replica read them last.
pub(crate) struct Signing {
    issuer: String,
    audience: String,
    read: RwLock<Arc<Keys>>,
}

pub(crate) struct Keys {
    pub keys: SigningKeys,
    pub verifier: AccessVerifier,
    stored: Zeroizing<Vec<u8>>,
}

impl Signing {
    pub async fn open(journal: &Journal, issuer: &str, audience: &str) -> Result<Self, Problem> {
        let stored = stored(journal).await?;
        let keys = Arc::new(Keys::read(stored, issuer, audience)?);
        let (issuer, audience) = (issuer.to_owned(), audience.to_owned());
        Ok(Self { issuer, audience, read: RwLock::new(keys) })
    }

    pub fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.read.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn look_again(&self, journal: &Journal) -> Result<(), Problem> {
        let stored = stored(journal).await?;
        if stored != self.keys().stored {
            let keys = Arc::new(Keys::read(stored, &self.issuer, &self.audience)?);
            *self.read.write().unwrap_or_else(PoisonError::into_inner) = keys;
        }
        Ok(())
    }
}

impl Keys {
    fn read(stored: Zeroizing<Vec<u8>>, issuer: &str, audience: &str) -> Result<Self, Problem> {
        let keys = SigningKeys::from_secret_bytes(&stored).map_err(|e| Problem::internal(&e))?;
        let verifier = keys.verifier(issuer, audience, LEEWAY_SECONDS);
        Ok(Self { keys, verifier, stored })
    }
}

async fn stored(journal: &Journal) -> Result<Zeroizing<Vec<u8>>, PersonalError> {
    let now = journal.clock().now();
    let make = || SigningKeys::generate(now, &mut rand::rng()).to_secret_bytes();
    journal.stored_secret(STORED, make).await
}

/// Lets the next key sign access tokens, on every replica within some seconds. Tokens of the former key
/// are taken until they expire, so nobody is signed out.
pub async fn rotate_signing_keys(journal: &Journal) -> Result<(), PersonalError> {
    stored(journal).await?;
    rotate_if(journal, |_| true).await.map(drop)
}

async fn rotate_if(
    journal: &Journal,
    wanted: impl Fn(&SigningKeys) -> bool + Send,
) -> Result<bool, PersonalError> {
    let now = journal.clock().now();
    let rotate = |stored: &[u8]| {
        let keys = SigningKeys::from_secret_bytes(stored);
        let keys = keys.inspect_err(|error| tracing::error!(%error, "nothing is rotated"));
        let mut keys = keys.ok().filter(&wanted)?;
        keys.rotate(now, MAX_TOKEN_LIFE, &mut rand::rng());
        Some(keys.to_secret_bytes())
    };
    journal.change_secret(STORED, rotate).await
}

/// Follows what other replicas and the operator do with the keys, and rotates them when it is time.
pub(crate) async fn keep_signing_keys(app: App, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(FRESH)).await.is_some() {
        // While nobody has asked for them there is nothing to keep.
        let Some(desk) = app.open_desk() else { continue };
        if let Err(problem) = keep(&app, &desk.signing).await {
            tracing::warn!(%problem, "the keys of access tokens are those of a moment ago");
        }
    }
}

async fn keep(app: &App, signing: &Signing) -> Result<(), Problem> {
    if let Some(every) = app.options.signing_keys_life {
        let now = app.journal.clock().now();
        let due = |keys: &SigningKeys| keys.rotation_due(now, every);
        if due(&signing.keys().keys) && rotate_if(&app.journal, due).await? {
            tracing::info!("the next key signs access tokens from now on");
        }
    }
    signing.look_again(&app.journal).await
}
