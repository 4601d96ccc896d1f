//! Redeeming a code at an issuer of OpenID Connect.

use credentials::{
    jose::{MAX_TOKEN, Unverified},
    oidc::{Discovery, IdTokenPolicy},
};
use domain::Timestamp;
use outbound::{Answer, Client};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use secrecy::ExposeSecret;
use serde::{Deserialize, de::DeserializeOwned};
use url::{Url, form_urlencoded};

use super::{
    bearer::LEEWAY_SECONDS,
    flow::{Exchange, Person, refused},
    provider::{Fault, Provider},
};
use crate::{accounts::desk::TWO_FACTORS, problem::Problem};

/// Bytes of the largest answer that is read: two tokens, and what goes with them.
const MAX_ANSWER: usize = 4 * MAX_TOKEN;
const CODE: &str = "the redemption of a code";
const USER_INFO: &str = "a question about a person";

#[derive(Deserialize)]
struct Redeemed {
    id_token: String,
    access_token: Option<String>,
}

/// What goes beside the ID token, where that does not say it.
#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    email: Option<String>,
    email_verified: Option<serde_json::Value>,
    name: Option<String>,
}

pub(super) async fn authorization_endpoint(
    provider: &Provider,
    client: &Client,
    now: Timestamp,
) -> Result<Url, Fault> {
    let discovery = provider.discovery(client, now).await?;
    let endpoint = discovery.authorization_endpoint.clone();
    endpoint.ok_or(Fault::Lacks("authorization endpoint"))
}

pub(super) async fn person(exchange: &Exchange<'_>, now: Timestamp) -> Result<Person, Problem> {
    let Exchange { provider, at, client, flow, .. } = exchange;
    let failed = |fault: Fault| provider.failed(&fault);
    let discovery = provider.discovery(client, now).await.map_err(failed)?;
    let redeemed = redeem(exchange, &discovery).await?;
    let claimed = Unverified::read(&redeemed.id_token).map_err(|e| refused(&e.to_string()))?;
    let keys = provider.keys(client, claimed.kid.as_deref(), now).await.map_err(failed)?;
    let keys = keys.ok_or_else(|| failed(Fault::Lacks("keys that could be had lately")))?;
    let policy = IdTokenPolicy {
        issuer: provider.issuer.clone(),
        client_id: at.id.clone(),
        algorithms: Provider::ALGORITHMS.to_vec(),
        leeway_seconds: LEEWAY_SECONDS,
        max_login_age: None,
    };
    let claims = policy.verify(&redeemed.id_token, &keys, Some(&flow.nonce), now);
    let claims = claims.map_err(|error| refused(&error.to_string()))?;
    let trusted = &provider.options;
    let mut person = Person {
        issuer: claims.issuer,
        subject: claims.sub,
        email_confirmed: claims.email_verified,
        email: claims.email,
        name: claims.name,
        second_factor: trusted.trusts_second_factor
            && claims.amr.iter().any(|method| method == TWO_FACTORS),
    };
    if let (None, Some(url), Some(token)) =
        (&person.email, &discovery.userinfo_endpoint, &redeemed.access_token)
    {
        let info = user_info(client, url, token).await.map_err(failed)?;
        // It is not signed: only what is about the person in the token counts.
        if info.sub != person.subject {
            return Err(refused("the provider told of somebody else than who signed in"));
        }
        person.email_confirmed = info.email_verified.is_some_and(|it| it == true || it == "true");
        person.email = info.email;
        person.name = person.name.or(info.name);
    }
    person.email_confirmed |= trusted.trusts_addresses;
    Ok(person)
}

async fn redeem(exchange: &Exchange<'_>, discovery: &Discovery) -> Result<Redeemed, Problem> {
    let failed = |fault: Fault| exchange.provider.failed(&fault);
    let endpoint = discovery.token_endpoint.as_ref();
    let endpoint = endpoint.ok_or_else(|| failed(Fault::Lacks("token endpoint")))?;
    let methods = &discovery.token_endpoint_auth_methods_supported;
    // What is meant by an issuer that says nothing about it.
    let basic = methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic");
    let answer = exchange.post(endpoint, basic).await.map_err(failed)?;
    read_or_refuse(&answer).map_err(failed)?.ok_or_else(code_refused)
}

impl Exchange<'_> {
    /// Sends the code to be redeemed, and says who we are.
    pub async fn post(&self, endpoint: &Url, basic: bool) -> Result<Answer, Fault> {
        let request = self.client.request(Method::POST, endpoint)?;
        let request = match self.at.secret.as_ref().filter(|_| basic) {
            // RFC 6749, section 2.3.1.
            Some(secret) => {
                request.basic_auth(encoded(&self.at.id), Some(encoded(secret.expose_secret())))
            }
            None => request,
        };
        let request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(self.form(basic));
        Ok(self.client.send(request, MAX_ANSWER).await?)
    }

    fn form(&self, basic: bool) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", &self.code)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_verifier", &self.flow.verifier);
        if !basic || self.at.secret.is_none() {
            form.append_pair("client_id", &self.at.id);
            if let Some(secret) = &self.at.secret {
                form.append_pair("client_secret", secret.expose_secret());
            }
        }
        form.finish()
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// None when the provider does not take the code: it was used, or is too old, or another's.
pub(super) fn read_or_refuse<T: DeserializeOwned>(answer: &Answer) -> Result<Option<T>, Fault> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let refusal = serde_json::from_slice::<Refusal>(&answer.body).ok();
    if refusal.is_some_and(|it| ["invalid_grant", "bad_verification_code"].contains(&&*it.error)) {
        return Ok(None);
    }
    read(answer, CODE).map(Some)
}

pub(super) fn code_refused() -> Problem {
    refused("the provider does not take the code any more; begin again")
}

fn read<T: DeserializeOwned>(answer: &Answer, what: &'static str) -> Result<T, Fault> {
    if answer.status != StatusCode::OK {
        return Err(Fault::Status(what, answer.status));
    }
    if answer.cut {
        return Err(Fault::TooLarge(what));
    }
    serde_json::from_slice(&answer.body).map_err(|_| Fault::Malformed(what))
}

async fn user_info(client: &Client, url: &Url, token: &str) -> Result<UserInfo, Fault> {
    let request = client.request(Method::GET, url)?;
    ask(client, request.bearer_auth(token), USER_INFO).await
}

/// An answer in JSON.
pub(super) async fn ask<T: DeserializeOwned>(
    client: &Client,
    request: RequestBuilder,
    what: &'static str,
) -> Result<T, Fault> {
    read(&client.send(request, MAX_ANSWER).await?, what)
}
