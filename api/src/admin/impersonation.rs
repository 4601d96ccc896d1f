use chrono::TimeDelta;
use domain::{
    Pii, Timestamp,
    ids::{SessionId, UserId},
    sessions::{Impersonate, Session, SessionCommand},
    users::{User, own_organization},
};
use poem_openapi::{Object, OpenApi, param::Path, payload::Json};

use crate::{
    auth::{By, PlatformCaller},
    document::Tag,
    ids::parse_id,
    problem::{Code, Problem},
    state::App,
};

/// When an operator does not say how long.
const DEFAULT_LIFE_S: u32 = 15 * 60;

/// Why, and for how long.
#[derive(Debug, Object)]
#[oai(deny_unknown_fields)]
pub(crate) struct ImpersonationRequest {
    /// Kept with what is done; the user can read it in their audit log.
    reason: String,
    /// Seconds, 15 minutes when left out and an hour at most.
    life_s: Option<u32>,
}

/// What an operator acts as the user with.
#[derive(Debug, Object)]
#[oai(rename = "Impersonation")]
pub(crate) struct ImpersonationView {
    access_token: String,
    token_type: String,
    expires_at: Timestamp,
    session_id: String,
}

pub(crate) struct Impersonation {
    pub app: App,
}

#[OpenApi(tag = "Tag::Administration")]
impl Impersonation {
    /// Act as a user
    ///
    /// Gives an access token that names the operator, too (`act`, RFC 8693). Everything that is done with
    /// it stands in the audit log as done by the operator on the user's behalf. It changes no password,
    /// address, second factor, key or session, answers no invitation, leaves no organisation and erases
    /// nothing, cannot be renewed, and ends with the operator's key. The user sees the session and can end
    /// it.
    #[oai(
        path = "/v1/admin/users/:id/impersonate",
        method = "post",
        operation_id = "impersonate_user"
    )]
    async fn impersonate(
        &self,
        caller: PlatformCaller,
        id: Path<String>,
        body: Json<ImpersonationRequest>,
    ) -> Result<Json<ImpersonationView>, Problem> {
        let (app, user) = (&self.app, parse_id::<UserId>(&id.0)?);
        let caller = caller.for_organization(own_organization(user));
        let By::Key(key) = &caller.by else { return Err(Problem::not_found()) };
        let operator = key.row.key_id;
        let account = app.journal.state::<User>(caller.org, &user.to_string()).await?;
        let account = account.map(|(account, _)| account).filter(|account| !account.erased);
        let account = account.ok_or_else(Problem::not_found)?;
        if account.suspended {
            return Err(Problem::new(Code::Conflict, "the account is suspended"));
        }
        let ImpersonationRequest { reason, life_s } = body.0;
        let (clock, session) =
            (app.journal.clock(), SessionId::from_uuid(app.journal.clock().new_id()));
        let now = clock.now();
        let expires_at = now + TimeDelta::seconds(life_s.unwrap_or(DEFAULT_LIFE_S).into());
        let impersonate = Impersonate {
            user_id: user,
            epoch: account.session_epoch,
            operator: caller.actor().to_string(),
            reason: Pii::plain(reason),
            expires_at,
        };
        let command = SessionCommand::Impersonate(Box::new(impersonate), now);
        let context = caller.context(clock.new_id());
        app.execute::<Session>(context, session.to_string(), command).await?;
        let desk = app.desk().await?;
        Ok(Json(ImpersonationView {
            access_token: desk.impersonation_token(app, user, session, operator, expires_at),
            token_type: "Bearer".to_owned(),
            expires_at,
            session_id: session.to_string(),
        }))
    }
}
