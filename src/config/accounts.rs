use credentials::passkey::{RelyingParty, RelyingPartyOptions};
use serde::{Deserialize, Serialize};

use super::layers::Section;
use super::{Faults, Server};

/// How people sign in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accounts {
    /// The domain that passkeys are made for; that of `server.public_url` when absent. Changing it makes
    /// every passkey useless.
    pub passkey_domain: Option<String>,
    /// Origins whose pages may ask for passkeys; that of `server.public_url` when empty.
    pub passkey_origins: Vec<String>,
    /// How long an invitation into an organisation can be accepted.
    pub invitation_days: u32,
    /// How long an access token can be used, a day at most. What ends a session ends its tokens at once,
    /// here; whoever else checks them by the published keys takes them for so long.
    pub access_token_minutes: u32,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            passkey_domain: None,
            passkey_origins: Vec::new(),
            invitation_days: 7,
            access_token_minutes: 15,
        }
    }
}

impl Section for Accounts {
    const NAME: &'static str = "accounts";

    fn check(&self, faults: &mut Faults) {
        faults.range("accounts.invitation_days", self.invitation_days, 1..=90);
        faults.range("accounts.access_token_minutes", self.access_token_minutes, 1..=24 * 60);
        let Some(id) = &self.passkey_domain else {
            if !self.passkey_origins.is_empty() {
                faults.add("accounts.passkey_origins", "go with accounts.passkey_domain");
            }
            return;
        };
        let (id, name) = (id.clone(), String::new());
        let origins = self.passkey_origins.clone();
        if let Err(error) = RelyingParty::new(RelyingPartyOptions { id, name, origins }) {
            faults.add("accounts.passkey_domain", error);
        }
    }
}

impl Accounts {
    /// Whom passkeys are made for. None where the installation has no domain that they could be for.
    pub fn relying_party(&self, server: &Server, name: &str) -> Option<RelyingPartyOptions> {
        let name = name.to_owned();
        if let Some(id) = self.passkey_domain.clone() {
            return Some(RelyingPartyOptions { id, name, origins: self.passkey_origins.clone() });
        }
        let (id, origin) = match &server.public_url {
            Some(url) => (url.domain()?.to_owned(), url.origin().ascii_serialization()),
            None => ("localhost".to_owned(), format!("http://localhost:{}", server.listen.port())),
        };
        let options = RelyingPartyOptions { id, name, origins: vec![origin] };
        RelyingParty::new(options.clone()).is_ok().then_some(options)
    }
}
