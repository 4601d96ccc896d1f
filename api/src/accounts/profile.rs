//! What people change about their own account.

use domain::{
    Pii,
    ids::SessionId,
    sessions::{Proof, Session},
    users::{self, CHANGE_EMAIL_LINK, User, UserCommand, UserError},
};
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
    payload::Json,
};

use super::{
    caller::{Client, SignedIn},
    challenge::Pending,
    desk::nonce,
    erasure, export,
    factors::{ConfirmInput, confirm},
    me::forget_session,
    model::{ErasureCertificate, LinkInput, Noted, Tokens},
    noted, session,
    sign_up::{by_link, parse_address, rand_core},
};
use crate::{
    document::Tag,
    problem::{Code, Problem},
    state::App,
};

/// Longest language tag that is a registered one.
const MAX_LANGUAGE: usize = 35;

pub(crate) struct Profile {
    pub app: App,
}

/// What is left out is not told any more.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct ProfileInput {
    /// What the person is called.
    pub name: Option<String>,
    /// A language tag (BCP 47), such as `de-AT`.
    pub language: Option<String>,
    /// Of the IANA database, such as `Europe/Vienna`.
    pub time_zone: Option<String>,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct PasswordInput {
    /// The present one. Left out by somebody who has none and has just signed in.
    pub password: Option<String>,
    /// At least 8 characters that are hard to guess.
    pub new_password: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct EmailInput {
    /// Of the account, once more. Left out by somebody who has none and has just signed in.
    pub password: Option<String>,
    /// The address it is to have.
    pub email: String,
}

#[OpenApi(tag = "Tag::Accounts")]
impl Profile {
    /// Change the own profile
    #[oai(path = "/v1/users/me", method = "put", operation_id = "change_my_profile")]
    async fn change(
        &self,
        caller: SignedIn,
        input: Json<ProfileInput>,
    ) -> Result<Json<Noted>, Problem> {
        let ProfileInput { name, language, time_zone } = input.0;
        if language.as_ref().is_some_and(|tag| !is_language(tag)) {
            return Err(misfit("language", "it is no language tag, such as `de-AT`"));
        }
        if time_zone.as_ref().is_some_and(|zone| zone.parse::<chrono_tz::Tz>().is_err()) {
            return Err(misfit("time_zone", "it is no time zone, such as `Europe/Vienna`"));
        }
        let [name, language, time_zone] =
            [name, language, time_zone].map(|value| value.map(Pii::plain));
        let profile = Box::new(users::Profile { name, language, time_zone });
        let now = self.app.journal.clock().now();
        self.tell(&caller, UserCommand::ChangeProfile { profile, now }).await?;
        Ok(noted("the profile is changed"))
    }

    /// Change the own password
    ///
    /// Ends every session, and begins a new one.
    #[oai(path = "/v1/users/me/password", method = "post", operation_id = "change_my_password")]
    async fn change_password(
        &self,
        caller: SignedIn,
        input: Json<PasswordInput>,
    ) -> Result<Json<Tokens>, Problem> {
        let PasswordInput { password, new_password } = input.0;
        confirm(&self.app, &caller, ConfirmInput { password }).await?;
        let desk = self.app.desk().await?;
        let hash = desk.hasher.choose(new_password.into(), Vec::new(), &mut rand_core()).await?;
        let now = self.app.journal.clock().now();
        let former = match caller.session {
            Some(id) => session::state::<Session>(&self.app, caller.user, &id.to_string()).await?,
            None => None,
        };
        let command = UserCommand::ChangePassword { password_hash: Pii::plain(hash), now };
        self.tell(&caller, command).await?;
        forget_session(&self.app, &caller).await?;
        let id = caller.user.to_string();
        let account = session::state::<User>(&self.app, caller.user, &id).await?;
        let account = account.ok_or_else(Problem::not_found)?;
        let pending = Pending {
            user: Some(caller.user),
            epoch: account.session_epoch,
            session: SessionId::from_uuid(self.app.journal.clock().new_id()),
            provider: former.as_ref().and_then(|session| session.provider.clone()),
            proofs: former.map_or_else(|| vec![Proof::Password], |session| session.proofs),
            ceremony: None,
        };
        session::start(&self.app, desk, &caller.client, caller.user, pending).await.map(Json)
    }

    /// Ask for another address
    ///
    /// A mail to it holds the link that makes it the address of the account. The answer is the same when
    /// it has an account of its own.
    #[oai(path = "/v1/users/me/email", method = "post", operation_id = "ask_email_change")]
    async fn ask_email_change(
        &self,
        caller: SignedIn,
        input: Json<EmailInput>,
    ) -> Result<Json<Noted>, Problem> {
        let EmailInput { password, email } = input.0;
        let email = parse_address(&email)?;
        confirm(&self.app, &caller, ConfirmInput { password }).await?;
        let command = UserCommand::AskEmailChange {
            email_index: self.app.desk().await?.index.email(&email).to_string(),
            email: Pii::plain(email.as_str().to_owned()),
            nonce: nonce(),
            now: self.app.journal.clock().now(),
        };
        self.tell(&caller, command).await?;
        Ok(noted("a mail with a link is on its way to the new address"))
    }

    /// Change the address
    ///
    /// By the link of a mail to the new one, which works once. The former address is told.
    #[oai(path = "/v1/auth/change-email", method = "post", operation_id = "change_email")]
    async fn change_email(
        &self,
        client: Client,
        input: Json<LinkInput>,
    ) -> Result<Json<Noted>, Problem> {
        let (app, token) = (&self.app, &input.0.token);
        let found = by_link(app, CHANGE_EMAIL_LINK, token, |user| {
            user.email_change.as_ref().map(|change| &change.link)
        });
        let Some((user, nonce)) = found.await? else {
            return Err(client.failed(app, UserError::Link.into()));
        };
        let command = UserCommand::ChangeEmail { nonce, now: app.journal.clock().now() };
        app.execute::<User>(client.context(app, user), user.to_string(), command).await?;
        Ok(noted("the account has the new address"))
    }

    /// Export what is kept about oneself
    ///
    /// The events of the own account, from the first on, with everything personal in the clear; what
    /// proves who somebody is, such as hashes, is left out.
    #[oai(path = "/v1/users/me/export", method = "get", operation_id = "export_me")]
    async fn export(
        &self,
        caller: SignedIn,
        /// Go on after this position, from `next_after`.
        after: Query<Option<u64>>,
    ) -> Result<Json<export::Export>, Problem> {
        export::export(&self.app, caller.user, after.0.unwrap_or(0)).await.map(Json)
    }

    /// Erase an account
    ///
    /// The own one: `me`, or its id. Destroys the key under which everything personal was sealed: in the
    /// log, the stream, the views and every copy of them. It cannot be taken back.
    #[oai(path = "/v1/users/:id/erase", method = "post", operation_id = "erase_user")]
    async fn erase(
        &self,
        caller: SignedIn,
        id: Path<String>,
        input: Json<ConfirmInput>,
    ) -> Result<Json<ErasureCertificate>, Problem> {
        if id.0 != "me" && id.0 != caller.user.to_string() {
            return Err(Problem::not_found());
        }
        confirm(&self.app, &caller, input.0).await?;
        erasure::erase(&self.app, &caller).await.map(Json)
    }
}

impl Profile {
    async fn tell(&self, caller: &SignedIn, command: UserCommand) -> Result<(), Problem> {
        let context = caller.client.context(&self.app, caller.user);
        self.app.execute::<User>(context, caller.user.to_string(), command).await?;
        Ok(())
    }
}

fn is_language(tag: &str) -> bool {
    let subtag = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let first = tag.split('-').next().unwrap_or_default();
    tag.len() <= MAX_LANGUAGE
        && (2..=8).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && tag.split('-').all(subtag)
}

fn misfit(field: &str, text: &str) -> Problem {
    Problem::new(Code::ValidationFailed, text).at(field, text)
}
