use std::{collections::BTreeMap, time::Duration};

use domain::{
    ids::UserId,
    organizations::OrganizationCommand,
    users::{EMAIL, NAME},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use projections::{
    organizations::{self, MemberRow},
    users::{self, UserRow},
};

use super::{
    give, give_about, give_pinned, grant,
    model::{MemberPage, MemberRequest, MemberView, TransferRequest},
};
use crate::{
    accounts::open,
    auth::Caller,
    command::{Accepted, Input},
    document::Tag,
    ids::parse_id,
    problem::{Code, Problem},
    read::{Freshness, Read, slice},
    state::App,
};

/// The people of an organisation.
pub(crate) struct Members {
    pub app: App,
}

#[OpenApi(tag = "Tag::Organizations")]
impl Members {
    /// List the members
    #[oai(path = "/v1/organizations/:id/members", method = "get", operation_id = "list_members")]
    async fn list(
        &self,
        caller: Caller,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<MemberPage>, Problem> {
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let slice = slice(&limit, &cursor);
        let page = organizations::members(caller.tenant(), &view, slice).await?;
        let members = shown(&self.app, page.items).await?;
        Ok(Read::new(MemberPage { members, next_cursor: page.next_cursor }, view.position()))
    }

    /// Read a member
    #[oai(
        path = "/v1/organizations/:id/members/:user_id",
        method = "get",
        operation_id = "get_member"
    )]
    async fn get(
        &self,
        caller: Caller,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        user_id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<MemberView>, Problem> {
        let user = parse_id(&user_id.0)?;
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let row = organizations::member(caller.tenant(), &view, user).await?;
        let shown = shown(&self.app, row.into_iter().collect()).await?;
        let member = shown.into_iter().next().ok_or_else(Problem::not_found)?;
        Ok(Read::new(member, view.position()))
    }

    /// Give a member another place
    ///
    /// The body takes the place of role and extra permissions. Nobody gives or takes more than they have,
    /// and the last owner stays one.
    #[oai(
        path = "/v1/organizations/:id/members/:user_id",
        method = "put",
        operation_id = "change_member"
    )]
    async fn change(
        &self,
        caller: Caller,
        request: &Request,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        user_id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<MemberRequest>,
    ) -> Result<Accepted, Problem> {
        let user: UserId = parse_id(&user_id.0)?;
        let role = body.value.role.into();
        let extra = grant::permissions(&body.value.permissions)?;
        grant::check(&caller, role, &extra)?;
        let (permissions, by) = (extra.names().to_vec(), caller.user());
        let given = (request, key.0, Some(&body.raw));
        give_about(&self.app, &caller, given, user.to_string(), |now| {
            OrganizationCommand::ChangeMember { user_id: user, role, permissions, by, now }
        })
        .await
    }

    /// Remove a member
    ///
    /// The keys that they issued end within a second.
    #[oai(
        path = "/v1/organizations/:id/members/:user_id",
        method = "delete",
        operation_id = "remove_member"
    )]
    async fn remove(
        &self,
        caller: Caller,
        request: &Request,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        user_id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let (user, by) = (parse_id::<UserId>(&user_id.0)?, caller.user());
        let given = (request, key.0, None);
        let accepted = give_about(&self.app, &caller, given, user.to_string(), |now| {
            OrganizationCommand::RemoveMember { user_id: user, by, now }
        })
        .await?;
        self.app.members.forget(user);
        Ok(accepted)
    }

    /// Leave an organisation
    ///
    /// The last owner cannot: make another member an owner first, or hand the organisation on.
    #[oai(
        path = "/v1/organizations/:id/leave",
        method = "post",
        operation_id = "leave_organization"
    )]
    async fn leave(
        &self,
        caller: Caller,
        request: &Request,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let Some(user) = caller.user() else {
            return Err(Problem::new(Code::Forbidden, "a key is no member, and cannot leave"));
        };
        let given = (request, key.0, None);
        let left = |now| OrganizationCommand::Leave { user_id: user, now };
        let accepted = give(&self.app, &caller, given, left).await?;
        self.app.members.forget(user);
        Ok(accepted)
    }

    /// Hand an organisation to another owner
    ///
    /// Whoever hands it on is an admin then.
    #[oai(
        path = "/v1/organizations/:id/transfer",
        method = "post",
        operation_id = "transfer_organization"
    )]
    async fn transfer(
        &self,
        caller: Caller,
        request: &Request,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        /// The `ETag` of the version that the command is meant for.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        body: Input<TransferRequest>,
    ) -> Result<Accepted, Problem> {
        let (to, by) = (parse_id(&body.value.user_id)?, caller.user());
        grant::check(&caller, domain::organizations::Role::Owner, &access::Permissions::none())?;
        let given = (request, key.0, Some(&body.raw));
        let handed_on = |now| OrganizationCommand::Transfer { to, by, now };
        give_pinned(&self.app, &caller, given, if_match.0, handed_on).await
    }
}

/// With the names and addresses that their accounts have now.
async fn shown(app: &App, rows: Vec<MemberRow>) -> Result<Vec<MemberView>, Problem> {
    let ids: Vec<_> = rows.iter().map(|row| row.user).collect();
    let view = app.views.open(users::NAME, None, Duration::ZERO).await?;
    let accounts = users::among(&view, &ids).await?;
    let accounts: BTreeMap<_, UserRow> = accounts.into_iter().map(|row| (row.user, row)).collect();
    let mut members = Vec::with_capacity(rows.len());
    for row in rows {
        let account = accounts.get(&row.user);
        let (name, email) =
            (account.and_then(|a| a.name.as_ref()), account.and_then(|a| a.email.as_ref()));
        members.push(MemberView {
            user_id: row.user.to_string(),
            name: open(app, row.user, NAME, name).await?,
            email: open(app, row.user, EMAIL, email).await?,
            role: row.standing.role.into(),
            permissions: row.standing.permissions,
            joined_at: row.joined_at,
        });
    }
    Ok(members)
}
