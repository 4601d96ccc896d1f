use credentials::oidc::KeyCacheOptions;
use outbound::AddressPolicy;
use secrecy::SecretString;
use url::Url;

/// Whose word is taken for who somebody is, besides our own.
#[derive(Debug, Clone, Default)]
pub struct LoginOptions {
    pub providers: Vec<ProviderOptions>,
    /// Of the tokens of an older backend; none are taken without.
    pub legacy_secret: Option<SecretString>,
    /// Where providers may be, besides the public internet.
    pub addresses: AddressPolicy,
    /// How long their keys are believed.
    pub keys: KeyCacheOptions,
}

/// Somebody who knows who people are.
#[derive(Debug, Clone)]
pub struct ProviderOptions {
    /// What it is called in paths and events.
    pub name: String,
    pub kind: ProviderKind,
    /// As its tokens name it.
    pub issuer: String,
    /// What we are at the provider; nobody can sign in through it without.
    pub client: Option<ClientOptions>,
    pub scopes: Vec<String>,
    /// Tokens of the issuer that are meant for one of these are taken in place of our own.
    pub audiences: Vec<String>,
    /// Where the keys of the issuer are, when it does not say so itself.
    pub jwks_url: Option<Url>,
    /// It decides about addresses: the account of one is that of whoever it says has it.
    pub authoritative: bool,
    /// Its addresses count as confirmed, though it does not say so of each.
    pub trusts_addresses: bool,
    /// When it says that there were two factors, there were.
    pub trusts_second_factor: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderKind {
    OpenIdConnect,
    /// OAuth as GitHub speaks it, with its API there, or where GitHub has it.
    GitHub {
        api: Option<Url>,
    },
}

#[derive(Debug, Clone)]
pub struct ClientOptions {
    pub id: String,
    /// A client without one is public, and proves itself by PKCE alone.
    pub secret: Option<SecretString>,
}
