use domain::{
    Pii,
    factors::{FactorCommand, Factors},
    ids::UserId,
    users::{EMAIL, NAME, REASON, User, UserCommand, own_organization},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use projections::{
    MAX_LIMIT, TenantScope, organizations, sessions,
    users::{self, UserRow},
};

use super::{
    model::{Ended, ReasonRequest, UserDetails, UserPage, UserState, UserView},
    suspension::{Ending, Suspended},
};
use crate::{
    accounts::{open, owner, parse_address},
    auth::{Caller, PlatformCaller},
    command::{Accepted, Input, Terms},
    document::Tag,
    done::Done,
    ids::parse_id,
    organizations::MembershipView,
    problem::Problem,
    read::{Freshness, Read, slice},
    state::App,
};

const COLLECTION: &str = "/v1/admin/users";

pub(crate) struct Users {
    pub app: App,
}

#[OpenApi(tag = "Tag::Administration")]
impl Users {
    /// Search accounts
    ///
    /// Oldest first; or the one account of an address.
    #[oai(path = "/v1/admin/users", method = "get", operation_id = "list_users")]
    async fn list(
        &self,
        _caller: PlatformCaller,
        /// The address that somebody signs in with.
        email: Query<Option<String>>,
        state: Query<Option<UserState>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<UserPage>, Problem> {
        let (app, view) = (&self.app, fresh.open(&self.app, users::NAME).await?);
        let (rows, next_cursor) = match email.0 {
            Some(email) => {
                let email = parse_address(&email)?;
                let user = owner(app, app.desk().await?, &email).await?;
                (users::among(&view, user.as_slice()).await?, None)
            }
            None => {
                let standing = state.0.map(users::Standing::from);
                let page = users::list(&view, standing, slice(&limit, &cursor)).await?;
                (page.items, page.next_cursor)
            }
        };
        let mut users = Vec::with_capacity(rows.len());
        for row in rows {
            users.push(shown(app, row).await?);
        }
        Ok(Read::new(UserPage { users, next_cursor }, view.position()))
    }

    /// Read an account
    #[oai(path = "/v1/admin/users/:id", method = "get", operation_id = "get_user")]
    async fn get(
        &self,
        _caller: PlatformCaller,
        id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<UserDetails>, Problem> {
        let (app, user) = (&self.app, parse_id::<UserId>(&id.0)?);
        let scope = TenantScope(own_organization(user));
        let view = fresh.open(app, users::NAME).await?;
        let row = users::get(scope, &view).await?.ok_or_else(Problem::not_found)?;
        let of_sessions = fresh.open(app, sessions::NAME).await?;
        let sessions = sessions::count(scope, &of_sessions, app.journal.clock().now()).await?;
        let of_organizations = fresh.open(app, organizations::NAME).await?;
        let memberships = organizations::memberships(&of_organizations, user, MAX_LIMIT).await?;
        let factors = app.journal.state::<Factors>(scope.0, &user.to_string()).await?;
        let details = UserDetails {
            user: shown(app, row).await?,
            sessions,
            second_factor: factors.is_some_and(|(factors, _)| factors.any()),
            organizations: memberships.into_iter().map(MembershipView::from).collect(),
        };
        Ok(Read::new(details, view.position()))
    }

    /// Suspend an account
    ///
    /// Ends the person's sessions and open streams and refuses their keys, on every replica within a
    /// second; then cancels the jobs they asked for that have not started. The answer says how long it
    /// took. Asking again finishes what was broken off.
    #[oai(path = "/v1/admin/users/:id/suspend", method = "post", operation_id = "suspend_user")]
    async fn suspend(
        &self,
        caller: PlatformCaller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<ReasonRequest>,
    ) -> Result<Done<Ended>, Problem> {
        let (user, caller) = about(&caller, &id.0)?;
        let context =
            Terms::new(request, key.0, None).context(&self.app, &caller, Some(&body.raw))?;
        let (reason, now) = (Pii::plain(body.value.reason), self.app.journal.clock().now());
        let command = UserCommand::Suspend { reason, now };
        let suspended = Suspended::Person(user);
        let ending = Ending::<User> { context, id: user.to_string(), command };
        done(ending.carry_out_with_jobs(&self.app, caller, suspended).await?)
    }

    /// Lift the suspension of an account
    #[oai(path = "/v1/admin/users/:id/unsuspend", method = "post", operation_id = "unsuspend_user")]
    async fn unsuspend(
        &self,
        caller: PlatformCaller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let (user, caller) = about(&caller, &id.0)?;
        let context = Terms::new(request, key.0, None).context(&self.app, &caller, None)?;
        let command = UserCommand::Unsuspend { now: self.app.journal.clock().now() };
        let committed = self.app.execute::<User>(context, user.to_string(), command).await?;
        Ok(Accepted::new(committed, COLLECTION))
    }

    /// End the sessions of an account
    ///
    /// All of them, on every replica within a second; the answer says how long it took.
    #[oai(
        path = "/v1/admin/users/:id/end-sessions",
        method = "post",
        operation_id = "end_user_sessions"
    )]
    async fn end_sessions(
        &self,
        caller: PlatformCaller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Done<Ended>, Problem> {
        let (user, caller) = about(&caller, &id.0)?;
        let context = Terms::new(request, key.0, None).context(&self.app, &caller, None)?;
        let command = UserCommand::EndSessionsEverywhere { now: self.app.journal.clock().now() };
        let ending = Ending::<User> { context, id: user.to_string(), command };
        done(ending.carry_out(&self.app).await?)
    }

    /// Remove the second factors of an account
    ///
    /// Of somebody who lost what they have. The person is told by mail, and signs in by the password
    /// alone from then on. Their sessions go on.
    #[oai(
        path = "/v1/admin/users/:id/remove-second-factors",
        method = "post",
        operation_id = "remove_user_factors"
    )]
    async fn remove_factors(
        &self,
        caller: PlatformCaller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let (user, caller) = about(&caller, &id.0)?;
        let account = self.app.journal.state::<User>(caller.org, &user.to_string()).await?;
        if account.is_none_or(|(account, _)| account.erased) {
            return Err(Problem::not_found());
        }
        let context = Terms::new(request, key.0, None).context(&self.app, &caller, None)?;
        let command = FactorCommand::RemoveAll { now: self.app.journal.clock().now() };
        let committed = self.app.execute::<Factors>(context, user.to_string(), command).await?;
        Ok(Accepted::new(committed, COLLECTION))
    }
}

/// The person, and who gives commands about them.
fn about(caller: &PlatformCaller, id: &str) -> Result<(UserId, Caller), Problem> {
    let user = parse_id::<UserId>(id)?;
    Ok((user, caller.for_organization(own_organization(user))))
}

async fn shown(app: &App, row: UserRow) -> Result<UserView, Problem> {
    let state = match &row {
        UserRow { erased_at: Some(_), .. } => UserState::Erased,
        UserRow { suspended_at: Some(_), .. } => UserState::Suspended,
        UserRow { email_verified: false, .. } => UserState::Unverified,
        _ => UserState::Active,
    };
    let user = row.user;
    Ok(UserView {
        id: user.to_string(),
        email: open(app, user, EMAIL, row.email.as_ref()).await?,
        name: open(app, user, NAME, row.name.as_ref()).await?,
        state,
        email_verified: row.email_verified,
        signed_up_at: row.signed_up_at,
        suspended_at: row.suspended_at,
        suspension_reason: open(app, user, REASON, row.suspension_reason.as_ref()).await?,
        erased_at: row.erased_at,
    })
}

fn done(ended: Ended) -> Result<Done<Ended>, Problem> {
    let location = format!("{COLLECTION}/{}", ended.id);
    Ok(Done::new(ended, location))
}
