use std::collections::BTreeSet;

use credentials::{legacy_token::LegacyTokens, oidc::Issuer};
use ipnet::IpNet;
use outbound::AddressPolicy;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use super::layers::Section;
use super::{Faults, Secret, Server};

/// Who else may say who somebody is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Login {
    pub providers: Vec<Provider>,
    /// Of the tokens (HS256) of an older backend, which are taken in place of our own where it is given.
    pub legacy_secret: Option<Secret>,
    /// Private, loopback and link-local ranges that providers may be in all the same.
    pub allowed_private_ranges: Vec<IpNet>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Provider {
    /// What it is called in paths: small letters, digits and hyphens.
    pub name: String,
    pub kind: ProviderKind,
    /// As its tokens name it, to the letter: `https://accounts.google.com`.
    pub issuer: String,
    /// What we are at the provider. Without one nobody can sign in through it.
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    /// `openid email profile` when empty.
    pub scopes: Vec<String>,
    /// Tokens of the issuer that are meant for one of these are taken in place of our own.
    pub audiences: Vec<String>,
    /// Where the keys of the issuer are, when it does not say so itself.
    pub jwks_url: Option<Url>,
    /// Where the API of GitHub is.
    pub api_url: Option<Url>,
    /// It decides about addresses: the account of one is that of whoever it says has it.
    pub authoritative: bool,
    /// Its addresses count as confirmed, though it does not say so of each: for a company's own.
    pub trusts_addresses: bool,
    /// When it says that there were two factors (`amr` with `mfa`), there were.
    pub trusts_second_factor: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    #[default]
    Oidc,
    GitHub,
}

impl Section for Login {
    const NAME: &'static str = "login";

    fn check(&self, faults: &mut Faults) {
        if let Some(secret) = &self.legacy_secret
            && let Err(error) = LegacyTokens::new(&SecretString::from(secret.expose()))
        {
            faults.add("login.legacy_secret", error);
        }
        let mut names = BTreeSet::new();
        let mut issuers = BTreeSet::new();
        for provider in &self.providers {
            if !names.insert(&provider.name) {
                let fault = format!("`{}` is there twice", provider.name);
                faults.add("login.providers.name", fault);
            }
            // What a token claims to be from tells which of them has to check it.
            if !provider.audiences.is_empty() && !issuers.insert(&provider.issuer) {
                let fault = format!("the audiences of `{}` go in one provider", provider.issuer);
                faults.add("login.providers.audiences", fault);
            }
            provider.check(faults);
        }
    }
}

impl Provider {
    fn check(&self, faults: &mut Faults) {
        let name = &self.name;
        let small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=40).contains(&name.len()) || !name.bytes().all(small) {
            let fault = format!("`{name}` is not small letters, digits and hyphens");
            faults.add("login.providers.name", fault);
        }
        if access::SIGNED_IN_BY.contains(&name.as_str()) {
            let fault = format!("`{name}` is what policies call another way to be let in");
            faults.add("login.providers.name", fault);
        }
        let mut fault = |key: &str, text: &str| {
            faults.add(format_args!("login.providers.{key} of `{name}`"), text);
        };
        let urls = [self.jwks_url.as_ref(), self.api_url.as_ref()];
        let issuer = Url::parse(&self.issuer).ok();
        if issuer.is_none() || self.issuer.chars().any(|c| c.is_control() || c.is_whitespace()) {
            fault("issuer", "is no URL");
        }
        for url in urls.into_iter().flatten().chain(&issuer) {
            if !outbound::is_secure(url) {
                fault("issuer", "its URLs must begin with https://");
            }
        }
        if self.client_secret.is_some() && self.client_id.is_none() {
            fault("client_secret", "is of use with client_id only");
        }
        if self.client_id.is_none() && self.audiences.is_empty() {
            fault("client_id", "neither it nor audiences are given, so the provider is of no use");
        }
        let anybody = Issuer::new(&self.issuer).has_tenants();
        if anybody && (self.authoritative || self.trusts_addresses) {
            fault("authoritative", "whoever has a tenant there could claim any address");
        }
        match self.kind {
            ProviderKind::Oidc if self.api_url.is_some() => fault("api_url", "is GitHub's only"),
            ProviderKind::GitHub if !self.audiences.is_empty() => {
                fault("audiences", "GitHub gives no tokens that others could check");
            }
            ProviderKind::Oidc | ProviderKind::GitHub => {}
        }
    }

    fn options(&self) -> api::ProviderOptions {
        let secret = |secret: &Secret| SecretString::from(secret.expose());
        let scopes: &[&str] = match self.kind {
            ProviderKind::Oidc => &["openid", "email", "profile"],
            ProviderKind::GitHub => &["read:user", "user:email"],
        };
        let scopes = scopes.iter().map(|scope| (*scope).to_owned());
        api::ProviderOptions {
            name: self.name.clone(),
            kind: match self.kind {
                ProviderKind::Oidc => api::ProviderKind::OpenIdConnect,
                ProviderKind::GitHub => api::ProviderKind::GitHub { api: self.api_url.clone() },
            },
            issuer: self.issuer.clone(),
            client: self.client_id.clone().map(|id| api::ClientOptions {
                id,
                secret: self.client_secret.as_ref().map(secret),
            }),
            scopes: if self.scopes.is_empty() { scopes.collect() } else { self.scopes.clone() },
            audiences: self.audiences.clone(),
            jwks_url: self.jwks_url.clone(),
            authoritative: self.authoritative,
            trusts_addresses: self.trusts_addresses,
            trusts_second_factor: self.trusts_second_factor,
        }
    }
}

impl Login {
    /// What the rest of the configuration must be for it.
    pub fn check_with(&self, server: &Server, faults: &mut Faults) {
        let own = server.public_url.as_ref().map(Url::as_str);
        for provider in &self.providers {
            if provider.client_id.is_some() && own.is_none() {
                faults.add("server.public_url", "must be given where people sign in by others");
                return;
            }
            if own == Some(provider.issuer.as_str()) {
                faults.add("login.providers.issuer", "we are this issuer ourselves");
            }
        }
    }

    pub fn options(&self) -> api::LoginOptions {
        let allowed: Vec<_> = self.allowed_private_ranges.iter().map(ToString::to_string).collect();
        api::LoginOptions {
            providers: self.providers.iter().map(Provider::options).collect(),
            legacy_secret: self.legacy_secret.as_ref().map(|it| SecretString::from(it.expose())),
            // They are ranges, so there is none that cannot be read.
            addresses: AddressPolicy::new(&allowed).unwrap_or_default(),
            ..api::LoginOptions::default()
        }
    }
}
