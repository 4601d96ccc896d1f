//! Second factors over HTTP: setting them up, taking them away, and signing in with them.

mod answer;
mod error;
mod guard;
mod model;
mod passkeys;
mod recovery;
mod sign_in;
mod totp;

use domain::{factors::Factors, ids::UserId};
use poem_openapi::{OpenApi, param::Path, payload::Json};

use super::{
    caller::{Client, SignedIn},
    model::{Noted, Tokens},
    noted, session,
};
use crate::{document::Tag, ids::parse_id, problem::Problem, read::Read, state::App};
pub(super) use answer::LoginAnswer;
pub(super) use guard::confirm;
pub(super) use model::ConfirmInput;
use model::{
    ConfirmTotpInput, FactorsView, NewPasskey, NewPasskeyInput, PasskeyAsked, PasskeyInput,
    RecoveryCodes, SecondFactorInput, TotpAsked,
};
pub(super) use sign_in::{FirstFactor, first_factor_given};

/// Signing in beyond the password.
pub(crate) struct SecondFactors {
    pub app: App,
}

#[OpenApi(tag = "Tag::Accounts")]
impl SecondFactors {
    /// Sign in: the second factor
    ///
    /// Answers the challenge of a sign-in by a code of the authenticator app, a recovery code or a passkey.
    #[oai(path = "/v1/auth/second-factor", method = "post", operation_id = "give_second_factor")]
    async fn give(
        &self,
        client: Client,
        input: Json<SecondFactorInput>,
    ) -> Result<Json<Tokens>, Problem> {
        let answer = sign_in::second_factor(&self.app, &client, input.0).await;
        client.charged(&self.app, answer).map(Json)
    }

    /// Sign in by a passkey: begin
    ///
    /// Options for `navigator.credentials.get`; whose passkey it is shows with the answer.
    #[oai(path = "/v1/auth/passkey/begin", method = "post", operation_id = "begin_passkey_login")]
    async fn begin_passkey(&self, _client: Client) -> Result<Json<PasskeyAsked>, Problem> {
        sign_in::begin_passkey(&self.app).await.map(Json)
    }

    /// Sign in by a passkey
    #[oai(path = "/v1/auth/passkey", method = "post", operation_id = "log_in_by_passkey")]
    async fn log_in_by_passkey(
        &self,
        client: Client,
        input: Json<PasskeyInput>,
    ) -> Result<Json<Tokens>, Problem> {
        let answer = sign_in::by_passkey(&self.app, &client, input.0).await;
        client.charged(&self.app, answer).map(Json)
    }

    /// Read the own second factors
    #[oai(
        path = "/v1/users/me/second-factors",
        method = "get",
        operation_id = "get_second_factors"
    )]
    async fn list(&self, caller: SignedIn) -> Result<Read<FactorsView>, Problem> {
        // From before the look: the state holds at least that much.
        let position = self.app.journal.head().await.map_err(|e| Problem::unavailable(&e))?;
        let factors = of(&self.app, caller.user).await?;
        Ok(Read::new(FactorsView::of(&self.app, caller.user, &factors).await?, position))
    }

    /// Set up an authenticator app
    ///
    /// Shows the secret, this once. It counts from when a code of the app confirms it.
    #[oai(path = "/v1/users/me/totp", method = "post", operation_id = "begin_totp")]
    async fn begin_totp(
        &self,
        caller: SignedIn,
        input: Json<ConfirmInput>,
    ) -> Result<Json<TotpAsked>, Problem> {
        confirm(&self.app, &caller, input.0).await?;
        totp::begin(&self.app, &caller).await.map(Json)
    }

    /// Confirm an authenticator app
    ///
    /// With the first second factor come recovery codes, shown this once.
    #[oai(path = "/v1/users/me/totp/confirm", method = "post", operation_id = "confirm_totp")]
    async fn confirm_totp(
        &self,
        caller: SignedIn,
        input: Json<ConfirmTotpInput>,
    ) -> Result<Json<RecoveryCodes>, Problem> {
        totp::confirm(&self.app, &caller, input.0).await.map(Json)
    }

    /// Remove the authenticator app
    ///
    /// With the last second factor the recovery codes go too.
    #[oai(path = "/v1/users/me/totp/remove", method = "post", operation_id = "remove_totp")]
    async fn remove_totp(
        &self,
        caller: SignedIn,
        input: Json<ConfirmInput>,
    ) -> Result<Json<Noted>, Problem> {
        confirm(&self.app, &caller, input.0).await?;
        totp::remove(&self.app, &caller).await?;
        Ok(noted("the authenticator app is removed"))
    }

    /// Add a passkey: begin
    ///
    /// Options for `navigator.credentials.create`.
    #[oai(path = "/v1/users/me/passkeys/begin", method = "post", operation_id = "begin_passkey")]
    async fn begin_adding(
        &self,
        caller: SignedIn,
        input: Json<ConfirmInput>,
    ) -> Result<Json<PasskeyAsked>, Problem> {
        confirm(&self.app, &caller, input.0).await?;
        passkeys::begin(&self.app, &caller).await.map(Json)
    }

    /// Add a passkey
    #[oai(path = "/v1/users/me/passkeys", method = "post", operation_id = "add_passkey")]
    async fn add_passkey(
        &self,
        caller: SignedIn,
        input: Json<NewPasskeyInput>,
    ) -> Result<Json<NewPasskey>, Problem> {
        passkeys::add(&self.app, &caller, input.0).await.map(Json)
    }

    /// Remove a passkey
    #[oai(
        path = "/v1/users/me/passkeys/:id/remove",
        method = "post",
        operation_id = "remove_passkey"
    )]
    async fn remove_passkey(
        &self,
        caller: SignedIn,
        id: Path<String>,
        input: Json<ConfirmInput>,
    ) -> Result<Json<Noted>, Problem> {
        let id = parse_id(&id.0)?;
        confirm(&self.app, &caller, input.0).await?;
        passkeys::remove(&self.app, &caller, id).await?;
        Ok(noted("the passkey is removed"))
    }

    /// Make new recovery codes
    ///
    /// Shown this once; former ones work no more.
    #[oai(
        path = "/v1/users/me/recovery-codes",
        method = "post",
        operation_id = "renew_recovery_codes"
    )]
    async fn renew_codes(
        &self,
        caller: SignedIn,
        input: Json<ConfirmInput>,
    ) -> Result<Json<RecoveryCodes>, Problem> {
        confirm(&self.app, &caller, input.0).await?;
        recovery::renew(&self.app, &caller).await.map(Json)
    }
}

/// Those of the person, none at all included.
pub(super) async fn of(app: &App, user: UserId) -> Result<Factors, Problem> {
    Ok(session::state::<Factors>(app, user, &user.to_string()).await?.unwrap_or_default())
}
