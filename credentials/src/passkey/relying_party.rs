use rand::CryptoRng;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Base64Url;

/// Who passkeys are made for. Changing the id makes every passkey useless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelyingPartyOptions {
    /// A domain, such as `mill.example`.
    pub id: String,
    /// What people read when they are asked.
    pub name: String,
    /// The pages that may ask, such as `https://app.mill.example`.
    pub origins: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelyingPartyError {
    #[error(
        "the id of the relying party is a domain in small letters, such as `mill.example`, not `{0}`"
    )]
    Id(String),
    #[error("no origin is named for passkeys")]
    NoOrigin,
    #[error(
        "`{0}` is not an origin such as `https://app.mill.example`; http is for localhost alone"
    )]
    Origin(String),
    #[error("the origin `{origin}` does not belong to the domain `{id}`")]
    Elsewhere { origin: String, id: String },
}

#[derive(Debug, Clone)]
pub struct RelyingParty {
    pub(super) options: RelyingPartyOptions,
    id_hash: [u8; 32],
}

impl RelyingParty {
    pub fn new(options: RelyingPartyOptions) -> Result<Self, RelyingPartyError> {
        let id = &options.id;
        let as_host = Url::parse(&format!("https://{id}/")).ok();
        if as_host.as_ref().and_then(Url::domain) != Some(id) {
            return Err(RelyingPartyError::Id(id.clone()));
        }
        if options.origins.is_empty() {
            return Err(RelyingPartyError::NoOrigin);
        }
        options.origins.iter().try_for_each(|origin| check_origin(origin, id))?;
        let mut id_hash = [0; 32];
        id_hash.copy_from_slice(digest(&SHA256, id.as_bytes()).as_ref());
        Ok(Self { options, id_hash })
    }

    pub(super) fn id_hash(&self) -> [u8; 32] {
        self.id_hash
    }

    pub(super) fn allows(&self, origin: &str) -> bool {
        self.options.origins.iter().any(|own| own == origin)
    }
}

pub(super) fn challenge(rng: &mut (impl CryptoRng + ?Sized)) -> Base64Url {
    let mut challenge = vec![0; 32];
    rng.fill_bytes(&mut challenge);
    Base64Url(challenge)
}

fn check_origin(origin: &str, id: &str) -> Result<(), RelyingPartyError> {
    let refused = || RelyingPartyError::Origin(origin.to_owned());
    let url = Url::parse(origin).map_err(|_| refused())?;
    let domain = url.domain().ok_or_else(refused)?;
    let secure = url.scheme() == "https" || (url.scheme() == "http" && domain == "localhost");
    if !secure || url.origin().ascii_serialization() != origin {
        return Err(refused());
    }
    let inside = domain.strip_suffix(id).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if inside {
        Ok(())
    } else {
        Err(RelyingPartyError::Elsewhere { origin: origin.to_owned(), id: id.to_owned() })
    }
}
