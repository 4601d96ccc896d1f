use serde::Deserialize;
use url::{Host, Url};

use super::Issuer;

/// Bytes of the largest discovery document that is read.
pub const MAX_DISCOVERY_BYTES: usize = 64 * 1024;

/// What an issuer says of itself at `/.well-known/openid-configuration`, as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Discovery {
    pub issuer: String,
    /// An issuer that only gives tokens has none.
    pub authorization_endpoint: Option<Url>,
    pub token_endpoint: Option<Url>,
    pub jwks_uri: Url,
    pub userinfo_endpoint: Option<Url>,
    pub end_session_endpoint: Option<Url>,
    #[serde(default)]
    pub id_token_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    pub code_challenge_methods_supported: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    #[error("the issuer's discovery document is larger than {MAX_DISCOVERY_BYTES} bytes")]
    TooLarge,
    #[error("the issuer's discovery document cannot be read: {0}")]
    Malformed(String),
    #[error("the discovery document is of the issuer `{0}`, not of the one that was asked")]
    Issuer(String),
    #[error("the issuer's address `{0}` is not https")]
    Insecure(Url),
}

impl Discovery {
    /// The document must be that of the issuer who was asked, to the letter, or one issuer could speak
    /// for another.
    pub fn parse(document: &[u8], issuer: &Issuer) -> Result<Self, DiscoveryError> {
        if document.len() > MAX_DISCOVERY_BYTES {
            return Err(DiscoveryError::TooLarge);
        }
        let discovery: Self = serde_json::from_slice(document)
            .map_err(|error| DiscoveryError::Malformed(error.to_string()))?;
        if discovery.issuer != issuer.as_str() {
            return Err(DiscoveryError::Issuer(discovery.issuer));
        }
        let own = Url::parse(issuer.as_str())
            .map_err(|_| DiscoveryError::Issuer(issuer.as_str().to_owned()))?;
        let optional = [
            &discovery.authorization_endpoint,
            &discovery.token_endpoint,
            &discovery.userinfo_endpoint,
            &discovery.end_session_endpoint,
        ];
        for url in [&own, &discovery.jwks_uri].into_iter().chain(optional.into_iter().flatten()) {
            if !is_secure(url) {
                return Err(DiscoveryError::Insecure(url.clone()));
            }
        }
        Ok(discovery)
    }
}

/// https, or an issuer on this very machine.
fn is_secure(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && local)
}
