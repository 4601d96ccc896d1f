//! Signing in through providers over HTTP, and what somebody is at them.

use domain::{
    Timestamp,
    users::{EMAIL, SUBJECT, User},
};
use poem::Request;
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};
use url::Url;

use super::{flow::Returned, sign_in};
use crate::{
    accounts::{
        caller::{Client, SignedIn},
        factors::{ConfirmInput, LoginAnswer, confirm},
        me::open,
        model::Noted,
        noted,
        session::state,
    },
    document::Tag,
    problem::Problem,
    read::Read,
    state::App,
};

pub(crate) struct ProviderLogins {
    pub app: App,
}

#[derive(Object)]
pub(crate) struct ProviderList {
    pub providers: Vec<ProviderView>,
}

#[derive(Object)]
pub(crate) struct ProviderView {
    pub name: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct BeginInput {
    /// Where the browser goes on: a path here, or a URL of an origin that may call the API. What came of
    /// it is in the fragment, as `login=...` to be sent on, or as `login_error=...` with the code of a
    /// problem. Left out, the answer of the callback has it.
    pub return_to: Option<String>,
}

#[derive(Object)]
pub(crate) struct Begun {
    /// Where the browser is to be sent.
    pub authorization_url: String,
    /// Until when it may come back.
    pub expires_at: Timestamp,
}

/// The browser has come back.
#[derive(ApiResponse)]
pub(crate) enum CallbackAnswer {
    /// It goes on where it was said.
    #[oai(status = 302)]
    GoOn(#[oai(header = "Location")] String),
    /// Nothing was said about where.
    #[oai(status = 200)]
    Arrived(Json<Arrived>),
}

#[derive(Object)]
pub(crate) struct Arrived {
    /// Sent on by the same browser, once: to sign in, or to link the provider to an account.
    pub challenge: String,
    pub expires_at: Timestamp,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct ArrivalInput {
    /// What the return from the provider gave.
    pub challenge: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct LinkIdentityInput {
    /// What the return from the provider gave.
    pub challenge: String,
    /// Of the account, once more. Left out by somebody who has none and has just signed in.
    pub password: Option<String>,
}

#[derive(Object)]
pub(crate) struct IdentityList {
    pub identities: Vec<IdentityView>,
}

#[derive(Object)]
pub(crate) struct IdentityView {
    pub id: String,
    /// What the provider is called here.
    pub provider: String,
    pub issuer: String,
    /// The person at the issuer.
    pub subject: Option<String>,
    /// What the issuer said is their address.
    pub email: Option<String>,
    pub linked_at: Timestamp,
}

#[OpenApi(tag = "Tag::Accounts")]
impl ProviderLogins {
    /// List the providers
    ///
    /// Those that people can sign in through.
    #[oai(path = "/v1/auth/providers", method = "get", operation_id = "list_providers")]
    async fn list(&self) -> Result<Json<ProviderList>, Problem> {
        let providers = self.app.options.login.providers.iter();
        let usable = providers.filter(|provider| provider.client.is_some());
        let views = usable.map(|provider| ProviderView { name: provider.name.clone() });
        Ok(Json(ProviderList { providers: views.collect() }))
    }

    /// Sign in through a provider: begin
    ///
    /// The browser that asks is the one that may come back: it gets a cookie.
    #[oai(
        path = "/v1/auth/providers/:name/begin",
        method = "post",
        operation_id = "begin_provider_login"
    )]
    async fn begin(
        &self,
        client: Client,
        name: Path<String>,
        input: Json<BeginInput>,
    ) -> Result<Json<Begun>, Problem> {
        let desk = self.app.desk().await?;
        let return_to = input.0.return_to.as_deref();
        let (url, expires_at) =
            desk.providers.begin(&self.app, &client, desk, &name.0, return_to).await?;
        Ok(Json(Begun { authorization_url: url.into(), expires_at }))
    }

    /// Come back from a provider
    ///
    /// Where providers send browsers. Nobody is signed in by it yet.
    #[oai(
        path = "/v1/auth/providers/:name/callback",
        method = "get",
        operation_id = "return_from_provider"
    )]
    #[expect(clippy::too_many_arguments, reason = "they are what a provider may send")]
    async fn callback(
        &self,
        client: Client,
        request: &Request,
        name: Path<String>,
        code: Query<Option<String>>,
        state: Query<Option<String>>,
        error: Query<Option<String>>,
        iss: Query<Option<String>>,
    ) -> Result<CallbackAnswer, Problem> {
        let desk = self.app.desk().await?;
        let returned = Returned { code: code.0, state: state.0, error: error.0, issuer: iss.0 };
        let (sealed, return_to) =
            desk.providers.returned(&self.app, desk, request, &name.0, returned).await;
        let sealed = client.charged(&self.app, sealed);
        Ok(match (sealed, return_to) {
            (Ok(sealed), Some(url)) => go_on(url, "login", &sealed.challenge),
            (Err(problem), Some(url)) => go_on(url, "login_error", problem.code.as_str()),
            (Ok(sealed), None) => {
                let (challenge, expires_at) = (sealed.challenge, sealed.expires_at);
                CallbackAnswer::Arrived(Json(Arrived { challenge, expires_at }))
            }
            (Err(problem), None) => return Err(problem),
        })
    }

    /// Sign in through a provider
    ///
    /// Whoever was never here gets an account, if the provider has confirmed an address that no account
    /// has. With `Millrace-Cookies: true` the tokens are given in cookies.
    #[oai(
        path = "/v1/auth/providers/complete",
        method = "post",
        operation_id = "log_in_by_provider"
    )]
    async fn complete(
        &self,
        client: Client,
        request: &Request,
        input: Json<ArrivalInput>,
    ) -> Result<LoginAnswer, Problem> {
        let answer = sign_in::complete(&self.app, &client, request, &input.0.challenge).await;
        client.charged(&self.app, answer)
    }

    /// List the own identities
    ///
    /// Who somebody is at providers that they can sign in through.
    #[oai(path = "/v1/users/me/identities", method = "get", operation_id = "list_my_identities")]
    async fn identities(&self, caller: SignedIn) -> Result<Read<IdentityList>, Problem> {
        let (app, user) = (&self.app, caller.user);
        // From before the look: the state holds at least that much.
        let position = app.journal.head().await.map_err(|e| Problem::unavailable(&e))?;
        let account = state::<User>(app, user, &user.to_string()).await?;
        let account = account.ok_or_else(Problem::not_found)?;
        let mut identities = Vec::with_capacity(account.identities.len());
        for (id, identity) in account.identities {
            identities.push(IdentityView {
                id,
                subject: open(app, user, SUBJECT, Some(&identity.subject)).await?,
                email: open(app, user, EMAIL, identity.email.as_ref()).await?,
                provider: identity.provider,
                issuer: identity.issuer,
                linked_at: identity.linked_at,
            });
        }
        Ok(Read::new(IdentityList { identities }, position))
    }

    /// Link a provider
    ///
    /// Whoever signs in as this person at the provider is the owner of the account from now on, who is told
    /// by mail.
    #[oai(path = "/v1/users/me/identities", method = "post", operation_id = "link_identity")]
    async fn link(
        &self,
        caller: SignedIn,
        request: &Request,
        input: Json<LinkIdentityInput>,
    ) -> Result<Json<Noted>, Problem> {
        let LinkIdentityInput { challenge, password } = input.0;
        confirm(&self.app, &caller, ConfirmInput { password }).await?;
        sign_in::link(&self.app, &caller, request, &challenge).await?;
        Ok(noted("you can sign in through the provider"))
    }

    /// Unlink a provider
    ///
    /// The last way to sign in stays. The owner of the account is told by mail.
    #[oai(
        path = "/v1/users/me/identities/:id/remove",
        method = "post",
        operation_id = "unlink_identity"
    )]
    async fn unlink(
        &self,
        caller: SignedIn,
        id: Path<String>,
        input: Json<ConfirmInput>,
    ) -> Result<Json<Noted>, Problem> {
        sign_in::check_linked(&self.app, caller.user, &id.0).await?;
        confirm(&self.app, &caller, input.0).await?;
        sign_in::unlink(&self.app, &caller, id.0).await?;
        Ok(noted("the provider is unlinked"))
    }
}

fn go_on(mut url: Url, name: &str, value: &str) -> CallbackAnswer {
    url.set_fragment(Some(&format!("{name}={value}")));
    CallbackAnswer::GoOn(url.into())
}
