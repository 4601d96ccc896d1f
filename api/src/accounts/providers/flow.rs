//! A sign-in at a provider, from the page that asks for it to the browser's return.
//!
//! What is known meanwhile is sealed, and kept by the browser in a cookie: the answer of the provider is
//! worth nothing in another browser, and neither is what comes of it.

use std::sync::Arc;

use credentials::oidc::CodeFlow;
use domain::{Timestamp, ids::SessionId};
use poem::Request;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use url::Url;
use zeroize::Zeroizing;

use super::{ClientOptions, Providers, github, oidc, provider::Provider};
use crate::{
    accounts::{
        caller::Client,
        challenge::{LIFE, Purpose},
        desk::Desk,
    },
    cookies::{self, Kind},
    problem::{Code, Problem},
    state::App,
};

/// Longest address that somebody is brought back to.
const MAX_RETURN_TO: usize = 2048;

/// What has begun.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    provider: String,
    state: String,
    nonce: String,
    verifier: String,
    /// Checked when it was asked for.
    return_to: Option<Url>,
    /// Of the session that is to start. It starts once, so what comes of this works once.
    session: SessionId,
}

/// Somebody who has signed in at the provider.
#[derive(Serialize, Deserialize)]
pub(super) struct Arrival {
    pub provider: String,
    pub person: Person,
    pub session: SessionId,
    /// Of the flow, whose browser alone may go on.
    state: String,
}

/// Who somebody is at a provider.
#[derive(Serialize, Deserialize)]
pub(super) struct Person {
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    /// The provider says that they have the address.
    pub email_confirmed: bool,
    pub name: Option<String>,
    /// The provider says that there were two factors, and is believed.
    pub second_factor: bool,
}

/// What the provider sends the browser back with.
pub(super) struct Returned {
    pub code: Option<String>,
    pub state: Option<String>,
    pub error: Option<String>,
    /// RFC 9207.
    pub issuer: Option<String>,
}

/// Sealed for the page.
pub(super) struct Sealed {
    pub challenge: String,
    pub expires_at: Timestamp,
}

impl Providers {
    /// Where the browser is sent, and until when it may come back.
    pub(super) async fn begin(
        &self,
        app: &App,
        client: &Client,
        desk: &Desk,
        name: &str,
        return_to: Option<&str>,
    ) -> Result<(Url, Timestamp), Problem> {
        let (provider, at) = self.named(name)?;
        let return_to = return_to.map(|text| checked(app, text)).transpose()?;
        let (flow, now) = (CodeFlow::begin(&mut rand::rng()), app.journal.clock().now());
        let endpoint = match github::api(&provider.options) {
            Some(_) => github::authorization_endpoint(provider),
            None => oidc::authorization_endpoint(provider, &self.client, now).await,
        };
        let endpoint = endpoint.map_err(|fault| provider.failed(&fault))?;
        let scopes: Vec<_> = provider.options.scopes.iter().map(String::as_str).collect();
        let url = flow.authorization_url(&endpoint, &at.id, &redirect_uri(app, name)?, &scopes);
        let begun = Begun {
            provider: name.to_owned(),
            state: flow.state,
            nonce: flow.nonce,
            verifier: flow.verifier.to_string(),
            return_to,
            session: SessionId::from_uuid(app.journal.clock().new_id()),
        };
        let (sealed, expires_at) = desk.challenges.seal(Purpose::ProviderFlow, begun, now)?;
        cookies::set(app, &client.scope, Kind::Login, &sealed, LIFE.num_seconds());
        Ok((url, expires_at))
    }

    /// What comes of the browser's return, and where it goes on, if it was said where.
    pub(super) async fn returned(
        &self,
        app: &App,
        desk: &Desk,
        request: &Request,
        name: &str,
        returned: Returned,
    ) -> (Result<Sealed, Problem>, Option<Url>) {
        let begun = match begun(app, desk, request) {
            Ok(begun) => begun,
            Err(problem) => return (Err(problem), None),
        };
        let return_to = begun.return_to.clone();
        let sealed = async {
            let person = self.redeem(app, name, &begun, returned).await?;
            let Begun { provider, session, state, .. } = begun;
            let arrival = Arrival { provider, person, session, state };
            let now = app.journal.clock().now();
            let (challenge, expires_at) =
                desk.challenges.seal(Purpose::ProviderArrival, arrival, now)?;
            Ok(Sealed { challenge, expires_at })
        };
        (sealed.await, return_to)
    }

    async fn redeem(
        &self,
        app: &App,
        name: &str,
        begun: &Begun,
        returned: Returned,
    ) -> Result<Person, Problem> {
        let (provider, at) = self.named(name)?;
        let verifier = Zeroizing::new(begun.verifier.clone());
        let (state, nonce) = (begun.state.clone(), begun.nonce.clone());
        let flow = CodeFlow { state, nonce, verifier };
        flow.check_state(returned.state.as_deref().unwrap_or_default())
            .map_err(|error| refused(&error.to_string()))?;
        if begun.provider != name
            || returned.issuer.is_some_and(|issuer| !provider.issuer.may_be(&issuer))
        {
            return Err(refused("the answer is of another provider than the one that was asked"));
        }
        let Some(code) = returned.code.filter(|_| returned.error.is_none()) else {
            return Err(refused("the provider did not let you in"));
        };
        let redirect_uri = redirect_uri(app, name)?;
        let exchange = Exchange { provider, at, client: &self.client, redirect_uri, flow, code };
        match github::api(&provider.options) {
            Some(api) => github::person(&exchange, &api).await,
            None => oidc::person(&exchange, app.journal.clock().now()).await,
        }
    }

    /// The provider of this name, if people can sign in through it.
    fn named(&self, name: &str) -> Result<(&Arc<Provider>, &ClientOptions), Problem> {
        let found = self.list.iter().find(|provider| provider.options.name == name);
        let found = found.and_then(|it| Some((it, it.options.client.as_ref()?)));
        found.ok_or_else(Problem::not_found)
    }
}

/// A code, and all that it is redeemed with.
pub(super) struct Exchange<'a> {
    pub provider: &'a Arc<Provider>,
    pub at: &'a ClientOptions,
    pub client: &'a outbound::Client,
    pub redirect_uri: String,
    pub flow: CodeFlow,
    pub code: String,
}

/// Opens what came of a sign-in at a provider, for the browser that began it. It forgets the flow.
pub(super) fn arrival(
    app: &App,
    desk: &Desk,
    client: &Client,
    request: &Request,
    challenge: &str,
) -> Result<Arrival, Problem> {
    let now = app.journal.clock().now();
    let arrival: Arrival = desk.challenges.open(Purpose::ProviderArrival, challenge, now)?;
    let begun = begun(app, desk, request)?;
    if !bool::from(begun.state.as_bytes().ct_eq(arrival.state.as_bytes())) {
        return Err(refused("this browser has not signed in at the provider; begin again"));
    }
    cookies::set(app, &client.scope, Kind::Login, "", 0);
    Ok(arrival)
}

fn begun(app: &App, desk: &Desk, request: &Request) -> Result<Begun, Problem> {
    let cookie = cookies::read(app, request, Kind::Login);
    let cookie = cookie.ok_or_else(|| refused("this browser has begun no sign-in; begin again"))?;
    desk.challenges.open(Purpose::ProviderFlow, cookie, app.journal.clock().now())
}

/// Where providers send browsers back to. They compare it to the letter.
fn redirect_uri(app: &App, name: &str) -> Result<String, Problem> {
    let own = public_url(app)?;
    Ok(format!("{}/v1/auth/providers/{name}/callback", own.as_str().trim_end_matches('/')))
}

fn public_url(app: &App) -> Result<&Url, Problem> {
    let own = app.options.public_url.as_ref();
    own.ok_or_else(|| Problem::new(Code::Internal, "server.public_url is not set"))
}

/// A page of ours, or of an origin that may call: nobody is sent anywhere else.
fn checked(app: &App, text: &str) -> Result<Url, Problem> {
    let misfit = || {
        let message = "it must be a path, or a URL of an origin that may call the API";
        Problem::new(Code::ValidationFailed, message).at("return_to", message)
    };
    let own = public_url(app)?;
    if text.len() > MAX_RETURN_TO || text.chars().any(|c| c.is_control() || c == '\\') {
        return Err(misfit());
    }
    // As browsers read it: what looks like a path may lead elsewhere.
    let url = own.join(text).map_err(|_| misfit())?;
    let origin = url.origin();
    let named = |known: &String| *known == origin.ascii_serialization();
    let ours = origin == own.origin() || app.options.cors_origins.iter().any(named);
    let bare = url.username().is_empty() && url.password().is_none();
    if ours && bare && origin.is_tuple() { Ok(url) } else { Err(misfit()) }
}

pub(super) fn refused(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}
