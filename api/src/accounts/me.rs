use domain::{
    Pii,
    ids::{SessionId, UserId},
    sessions::{ADDRESS, CLIENT},
    users::{EMAIL, LANGUAGE, NAME, TIME_ZONE, User, UserCommand, own_organization},
};
use poem_openapi::{OpenApi, param::Path, payload::Json};
use projections::{TenantScope, sessions, users};

use super::{
    caller::SignedIn,
    model::{AccountView, Noted, SessionList, SessionView},
    noted, session,
};
use crate::{
    document::Tag,
    ids::parse_id,
    problem::Problem,
    read::{Freshness, Read},
    state::App,
};

/// Sessions shown; nobody has more devices.
const MAX_SESSIONS: u32 = 100;

/// What belongs to whoever has signed in.
pub(crate) struct Me {
    pub app: App,
}

#[OpenApi(tag = "Tag::Accounts")]
impl Me {
    /// Read the own account
    #[oai(path = "/v1/users/me", method = "get", operation_id = "get_me")]
    async fn get(
        &self,
        caller: SignedIn,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<AccountView>, Problem> {
        let view = fresh.open(&self.app, users::NAME).await?;
        let row = users::get(scope(caller.user), &view).await?.ok_or_else(Problem::not_found)?;
        let account = AccountView {
            id: caller.user.to_string(),
            email: open(&self.app, caller.user, EMAIL, row.email.as_ref()).await?,
            name: open(&self.app, caller.user, NAME, row.name.as_ref()).await?,
            language: open(&self.app, caller.user, LANGUAGE, row.language.as_ref()).await?,
            time_zone: open(&self.app, caller.user, TIME_ZONE, row.time_zone.as_ref()).await?,
            email_verified: row.email_verified,
            signed_up_at: row.signed_up_at,
        };
        Ok(Read::new(account, view.position()))
    }

    /// List the own sessions
    ///
    /// Those that can still be used, newest first.
    #[oai(path = "/v1/users/me/sessions", method = "get", operation_id = "list_my_sessions")]
    async fn sessions(
        &self,
        caller: SignedIn,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<SessionList>, Problem> {
        let view = fresh.open(&self.app, sessions::NAME).await?;
        let now = self.app.journal.clock().now();
        let rows = sessions::list(scope(caller.user), &view, now, MAX_SESSIONS).await?;
        let mut sessions = Vec::new();
        for row in rows {
            sessions.push(SessionView {
                id: row.session.to_string(),
                client: open(&self.app, caller.user, CLIENT, row.client.as_ref()).await?,
                address: open(&self.app, caller.user, ADDRESS, row.address.as_ref()).await?,
                impersonated: row.operator.is_some(),
                started_at: row.started_at,
                refreshed_at: row.refreshed_at,
                expires_at: row.expires_at,
                current: Some(row.session) == caller.session,
            });
        }
        Ok(Read::new(SessionList { sessions }, view.position()))
    }

    /// End one of the own sessions
    #[oai(path = "/v1/users/me/sessions/:id", method = "delete", operation_id = "end_my_session")]
    async fn end(&self, caller: SignedIn, id: Path<String>) -> Result<Json<Noted>, Problem> {
        let id: SessionId = parse_id(&id.0)?;
        let desk = self.app.desk().await?;
        session::end(&self.app, desk, &caller.client, caller.user, id).await?;
        Ok(noted("the session is over"))
    }
}

pub(super) async fn end_all(app: &App, caller: &SignedIn) -> Result<(), Problem> {
    let command = UserCommand::EndSessionsEverywhere { now: app.journal.clock().now() };
    let context = caller.client.context(app, caller.user);
    app.execute::<User>(context, caller.user.to_string(), command).await?;
    forget_session(app, caller).await
}

/// This replica asks again at once about the session that has just ended.
pub(super) async fn forget_session(app: &App, caller: &SignedIn) -> Result<(), Problem> {
    if let Some(session) = caller.session {
        app.desk().await?.forget(session);
    }
    Ok(())
}

fn scope(user: UserId) -> TenantScope {
    TenantScope(own_organization(user))
}

pub(crate) async fn open(
    app: &App,
    user: UserId,
    name: &str,
    value: Option<&Pii<String>>,
) -> Result<Option<String>, Problem> {
    let Some(value) = value else { return Ok(None) };
    Ok(app.journal.open_personal(user.uuid(), name, value).await?.known())
}
