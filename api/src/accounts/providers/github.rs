//! GitHub, which speaks OAuth and has an API that tells who somebody is.

use reqwest::{Method, header};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{
    ProviderKind, ProviderOptions,
    flow::{Exchange, Person},
    oidc::{ask, code_refused, read_or_refuse},
    provider::{Fault, Provider},
};
use crate::problem::Problem;

/// Where its API is, unless it is said otherwise.
const API: &str = "https://api.github.com";

#[derive(Deserialize)]
struct Redeemed {
    access_token: String,
}

#[derive(Deserialize)]
struct User {
    /// Stays when its owner takes another login.
    id: u64,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

/// Where the API is, if it is GitHub.
pub(super) fn api(options: &ProviderOptions) -> Option<String> {
    match &options.kind {
        ProviderKind::OpenIdConnect => None,
        ProviderKind::GitHub { api } => Some(api.as_ref().map_or(API, Url::as_str).to_owned()),
    }
}

pub(super) fn authorization_endpoint(provider: &Provider) -> Result<Url, Fault> {
    below(provider.issuer.as_str(), "login/oauth/authorize")
}

pub(super) async fn person(exchange: &Exchange<'_>, api: &str) -> Result<Person, Problem> {
    let failed = |fault: Fault| exchange.provider.failed(&fault);
    let endpoint = below(exchange.provider.issuer.as_str(), "login/oauth/access_token");
    let answer = exchange.post(&endpoint.map_err(failed)?, false).await.map_err(failed)?;
    let redeemed = read_or_refuse(&answer).map_err(failed)?;
    let Redeemed { access_token } = redeemed.ok_or_else(code_refused)?;
    let user: User = get(exchange, api, "user", &access_token).await.map_err(failed)?;
    let addresses: Vec<Address> =
        get(exchange, api, "user/emails", &access_token).await.map_err(failed)?;
    let address = addresses.into_iter().find(|address| address.primary);
    Ok(Person {
        issuer: exchange.provider.issuer.as_str().to_owned(),
        subject: user.id.to_string(),
        email_confirmed: address.as_ref().is_some_and(|address| address.verified),
        email: address.map(|address| address.email),
        name: user.name,
        second_factor: false,
    })
}

async fn get<T: DeserializeOwned>(
    exchange: &Exchange<'_>,
    api: &str,
    path: &str,
    token: &str,
) -> Result<T, Fault> {
    let request = exchange.client.request(Method::GET, &below(api, path)?)?;
    let request = request.bearer_auth(token).header(header::ACCEPT, "application/vnd.github+json");
    ask(exchange.client, request, "a question to the API of GitHub").await
}

fn below(base: &str, path: &str) -> Result<Url, Fault> {
    let url = format!("{}/{path}", base.trim_end_matches('/'));
    Url::parse(&url).map_err(|_| Fault::Malformed("the address of GitHub"))
}
