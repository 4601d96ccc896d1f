use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use rand::CryptoRng;
use ring::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair},
};
use secrecy::{ExposeSecret, SecretBox};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{ALGORITHM, AccessClaims, AccessVerifier, TYPE};

const VERSION: u8 = 1;
/// Retired keys kept at most; rotating more often than tokens expire drops the oldest early.
const MAX_RETIRED: usize = 16;

/// The keys that sign access tokens: the current one, the next one, which is published ahead of its
/// time so that everyone knows it when it begins, and the retired ones, whose private half is gone and
/// whose tokens have not all expired.
#[derive(Debug)]
pub struct SigningKeys {
    next: SigningKey,
    current: SigningKey,
    current_since: i64,
    retired: Vec<Retired>,
}

struct SigningKey {
    kid: String,
    seed: SecretBox<[u8; 32]>,
    pair: Ed25519KeyPair,
}

#[derive(Debug, Clone)]
struct Retired {
    public: [u8; 32],
    until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored signing keys are damaged, or of a version that is not known here")]
pub struct KeysFormError;

impl SigningKeys {
    pub fn generate(now: DateTime<Utc>, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self {
            next: SigningKey::generate(rng),
            current: SigningKey::generate(rng),
            current_since: now.timestamp(),
            retired: Vec::new(),
        }
    }

    /// The next key begins to sign. The former one is known until the last of its tokens has expired.
    pub fn rotate(
        &mut self,
        now: DateTime<Utc>,
        token_life: TimeDelta,
        rng: &mut (impl CryptoRng + ?Sized),
    ) {
        self.forget_expired(now);
        let next = std::mem::replace(&mut self.next, SigningKey::generate(rng));
        let former = std::mem::replace(&mut self.current, next);
        let until = now.timestamp().saturating_add(token_life.num_seconds());
        let until = until.saturating_add(i64::from(super::MAX_LEEWAY_SECONDS));
        self.retired.insert(0, Retired { public: former.public(), until });
        self.retired.truncate(MAX_RETIRED);
        self.current_since = now.timestamp();
    }

    pub fn forget_expired(&mut self, now: DateTime<Utc>) {
        self.retired.retain(|key| key.until > now.timestamp());
    }

    pub fn rotation_due(&self, now: DateTime<Utc>, every: TimeDelta) -> bool {
        now.timestamp() >= self.current_since.saturating_add(every.num_seconds())
    }

    /// The token.
    pub fn sign(&self, claims: &AccessClaims) -> String {
        let header = json!({ "alg": ALGORITHM, "kid": self.current.kid, "typ": TYPE });
        let claims = json!(claims);
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let mut token = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.current.pair.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        token
    }

    /// Checks the tokens of all these keys. To be made again when they change.
    pub fn verifier(&self, issuer: &str, audience: &str, leeway_seconds: u32) -> AccessVerifier {
        let keys = self.public().map(|(public, until)| (kid(&public), public, until));
        AccessVerifier::new(issuer, audience, leeway_seconds, keys)
    }

    /// The document at `jwks_uri`.
    pub fn jwks(&self) -> Value {
        let keys = self.public().map(|(public, _)| {
            let x = URL_SAFE_NO_PAD.encode(public);
            json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "kid": kid(&public), "x": x })
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }

    /// What to store, sealed.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(73 + 40 * self.retired.len()));
        bytes.push(VERSION);
        bytes.extend_from_slice(self.next.seed.expose_secret());
        bytes.extend_from_slice(self.current.seed.expose_secret());
        bytes.extend_from_slice(&self.current_since.to_be_bytes());
        for Retired { public, until } in &self.retired {
            bytes.extend_from_slice(public);
            bytes.extend_from_slice(&until.to_be_bytes());
        }
        bytes
    }

    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, KeysFormError> {
        let mut rest = bytes.strip_prefix(&[VERSION]).ok_or(KeysFormError)?;
        let next = SigningKey::new(take(&mut rest)?);
        let current = SigningKey::new(take(&mut rest)?);
        let current_since = i64::from_be_bytes(*take(&mut rest)?);
        let mut retired = Vec::new();
        while !rest.is_empty() && retired.len() < MAX_RETIRED {
            let public = *take(&mut rest)?;
            retired.push(Retired { public, until: i64::from_be_bytes(*take(&mut rest)?) });
        }
        if !rest.is_empty() {
            return Err(KeysFormError);
        }
        Ok(Self { next, current, current_since, retired })
    }

    /// Each key and until when it is known.
    fn public(&self) -> impl Iterator<Item = ([u8; 32], Option<i64>)> {
        let usable = [&self.current, &self.next].map(|key| (key.public(), None));
        let retired = self.retired.iter().map(|key| (key.public, Some(key.until)));
        usable.into_iter().chain(retired)
    }
}

impl SigningKey {
    fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Self::new(&seed)
    }

    fn new(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed");
        let seed = SecretBox::init_with_mut(|own: &mut [u8; 32]| own.copy_from_slice(seed));
        let mut key = Self { kid: String::new(), seed, pair };
        key.kid = kid(&key.public());
        key
    }

    fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.pair.public_key().as_ref());
        public
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The key's thumbprint (RFC 7638), so that a key has the same id wherever it is known.
pub(super) fn kid(public: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], KeysFormError> {
    let (taken, left) = rest.split_first_chunk().ok_or(KeysFormError)?;
    *rest = left;
    Ok(taken)
}
