//! Accounts of people: signing up and in, and what is theirs.
//!
//! Nobody learns here whether an address has an account: the answers are the same and take as long, and
//! what differs is told in a mail. Mails are sent from the log, never from a request. No operation here
//! takes an `Idempotency-Key`, since the hash of a request that holds a password must not be kept.

mod caller;
mod challenge;
mod desk;
mod erasure;
mod error;
mod export;
mod factors;
mod guess;
mod me;
mod model;
mod password;
mod profile;
mod providers;
mod session;
mod sign_up;
mod signing;

use domain::{ids::SessionId, sessions::Proof};
use poem::Request;
use poem_openapi::{OpenApi, payload::Json};

use crate::{cookies, document::Tag, problem::Problem, state::App};
pub(crate) use caller::{Client, SESSION, SignedIn, register_session, signed_in};
pub(crate) use desk::{Desk, DeskCell, nonce};
pub(crate) use factors::SecondFactors;
use factors::{FirstFactor, LoginAnswer};
pub(crate) use me::{Me, open};
use model::{AddressInput, LoginInput, NewPasswordInput, RefreshInput, SignUpInput, Tokens};
pub(crate) use model::{LinkInput, Noted};
pub(crate) use profile::Profile;
pub use providers::{ClientOptions, LoginOptions, ProviderKind, ProviderOptions};
pub(crate) use providers::{ProviderLogins, Providers};
pub(crate) use sign_up::{owner, parse_address};
pub(crate) use signing::keep_signing_keys;
pub use signing::rotate_signing_keys;

pub(crate) struct Accounts {
    pub app: App,
}

#[OpenApi(tag = "Tag::Accounts")]
impl Accounts {
    /// Sign up
    ///
    /// A mail to the address holds the link that confirms it. The answer is the same for an address that
    /// has an account.
    #[oai(path = "/v1/auth/sign-up", method = "post", operation_id = "sign_up")]
    async fn sign_up(
        &self,
        client: Client,
        input: Json<SignUpInput>,
    ) -> Result<Json<Noted>, Problem> {
        sign_up::sign_up(&self.app, &client, input.0).await?;
        Ok(noted("a mail with a link to confirm the address is on its way"))
    }

    /// Confirm an address
    ///
    /// By the link of a mail, which works once.
    #[oai(path = "/v1/auth/verify-email", method = "post", operation_id = "verify_email")]
    async fn verify_email(
        &self,
        client: Client,
        input: Json<LinkInput>,
    ) -> Result<Json<Noted>, Problem> {
        sign_up::verify(&self.app, &client, &input.0.token).await?;
        Ok(noted("the address is confirmed"))
    }

    /// Sign in
    ///
    /// With `Millrace-Cookies: true` the tokens are given in cookies, here and wherever else somebody signs
    /// in. A request by cookie that may change something needs `X-CSRF-Token`.
    #[oai(path = "/v1/auth/login", method = "post", operation_id = "log_in")]
    async fn log_in(
        &self,
        client: Client,
        input: Json<LoginInput>,
    ) -> Result<LoginAnswer, Problem> {
        let LoginInput { email, password } = input.0;
        let (user, state) = password::check(&self.app, &client, &email, password).await?;
        let given = FirstFactor {
            proof: Proof::Password,
            provider: None,
            session: SessionId::from_uuid(self.app.journal.clock().new_id()),
        };
        factors::first_factor_given(&self.app, &client, user, &state, given).await
    }

    /// Go on with a session
    ///
    /// Gives a new access token and a new refresh token. Using a refresh token twice ends the session. One
    /// that is in a cookie needs `X-CSRF-Token`, and the new ones are in cookies too.
    #[oai(path = "/v1/auth/refresh", method = "post", operation_id = "refresh_session")]
    async fn refresh(
        &self,
        client: Client,
        request: &Request,
        input: Json<RefreshInput>,
    ) -> Result<Json<Tokens>, Problem> {
        let (app, desk) = (&self.app, self.app.desk().await?);
        let given = session::given_refresh(app, desk, &client, request, input.0.refresh_token);
        let given = client.charged(app, given)?;
        let answer = session::refresh(app, desk, &client, &given).await;
        client.charged(&self.app, answer).map(Json)
    }

    /// Sign out
    ///
    /// Ends the session of the access token.
    #[oai(path = "/v1/auth/logout", method = "post", operation_id = "log_out")]
    async fn log_out(&self, caller: SignedIn) -> Result<Json<Noted>, Problem> {
        let desk = self.app.desk().await?;
        session::end(&self.app, desk, &caller.client, caller.user, caller.own_session()?).await?;
        cookies::forget(&self.app, &caller.client.scope);
        Ok(noted("the session is over"))
    }

    /// Sign out everywhere
    ///
    /// Ends every session of the person.
    #[oai(
        path = "/v1/auth/logout-everywhere",
        method = "post",
        operation_id = "log_out_everywhere"
    )]
    async fn log_out_everywhere(&self, caller: SignedIn) -> Result<Json<Noted>, Problem> {
        me::end_all(&self.app, &caller).await?;
        cookies::forget(&self.app, &caller.client.scope);
        Ok(noted("every session is over"))
    }

    /// Ask for a new password
    ///
    /// A mail to the address holds the link, if there is an account. The answer is the same if not.
    #[oai(
        path = "/v1/auth/password-reset/ask",
        method = "post",
        operation_id = "ask_password_reset"
    )]
    async fn ask_reset(
        &self,
        client: Client,
        input: Json<AddressInput>,
    ) -> Result<Json<Noted>, Problem> {
        password::ask_reset(&self.app, &client, &input.0.email).await?;
        Ok(noted("if there is an account, a mail with a link is on its way"))
    }

    /// Choose a new password
    ///
    /// By the link of a mail, which works once. Ends every session of the person.
    #[oai(
        path = "/v1/auth/password-reset/complete",
        method = "post",
        operation_id = "complete_password_reset"
    )]
    async fn complete_reset(
        &self,
        client: Client,
        input: Json<NewPasswordInput>,
    ) -> Result<Json<Noted>, Problem> {
        let NewPasswordInput { token, password } = input.0;
        password::complete_reset(&self.app, &client, &token, password).await?;
        Ok(noted("the new password is chosen; sign in with it"))
    }

    /// Read the public keys of access tokens
    ///
    /// A JSON Web Key Set (RFC 7517).
    #[oai(path = "/.well-known/jwks.json", method = "get", operation_id = "get_token_keys")]
    async fn keys(&self) -> Result<Json<serde_json::Value>, Problem> {
        Ok(Json(self.app.desk().await?.signing.keys().keys.jwks()))
    }
}

pub(crate) fn noted(message: &str) -> Json<Noted> {
    Json(Noted { message: message.to_owned() })
}
