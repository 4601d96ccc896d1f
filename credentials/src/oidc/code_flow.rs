use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::CryptoRng;
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;
use url::Url;
use zeroize::Zeroizing;

/// One login through an issuer, from the redirect to the answer. Its values are kept for the browser
/// that began it and for no other.
pub struct CodeFlow {
    /// Comes back in the answer, and tells it from one that someone else began.
    pub state: String,
    /// Comes back in the ID token, and tells it from an older one.
    pub nonce: String,
    /// Proves to the issuer that who redeems the code also began (RFC 7636).
    pub verifier: Zeroizing<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeFlowError {
    #[error("the answer of the issuer belongs to another login than this one; begin again")]
    State,
}

impl CodeFlow {
    pub fn begin(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut random = || {
            let mut bytes = Zeroizing::new([0; 32]);
            rng.fill_bytes(bytes.as_mut());
            URL_SAFE_NO_PAD.encode(bytes.as_ref())
        };
        Self { state: random(), nonce: random(), verifier: Zeroizing::new(random()) }
    }

    /// Where the browser is sent.
    pub fn authorization_url(
        &self,
        endpoint: &Url,
        client_id: &str,
        redirect_uri: &str,
        scopes: &[&str],
    ) -> Url {
        let mut url = endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &self.state)
            .append_pair("nonce", &self.nonce)
            .append_pair("code_challenge", &s256(&self.verifier))
            .append_pair("code_challenge_method", "S256");
        url
    }

    /// In constant time.
    pub fn check_state(&self, given: &str) -> Result<(), CodeFlowError> {
        let same = given.as_bytes().ct_eq(self.state.as_bytes());
        if same.into() { Ok(()) } else { Err(CodeFlowError::State) }
    }
}

impl fmt::Debug for CodeFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeFlow(..)")
    }
}

/// The code challenge of a verifier.
pub fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}
