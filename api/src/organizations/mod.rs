//! Organisations: made by users, who own them then, and what they show of themselves.
//!
//! What is below `/v1/organizations/{id}` is done in the organisation that the path names.

mod answers;
mod billing;
mod erasure;
mod grant;
mod invitations;
mod members;
mod model;

use std::time::Duration;

use domain::{
    Timestamp,
    ids::{OrganizationId, UserId},
    organizations::{Organization, OrganizationCommand, Settings},
};
use journal::Committed;
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path},
};
use projections::organizations;

use answers::Answers;
use billing::Billing;
pub(crate) use erasure::forget_member;
use invitations::Invitations;
use members::Members;

use crate::{
    accounts::SignedIn,
    auth::Caller,
    command::{Accepted, Input, Terms, etag},
    document::Tag,
    problem::{Code, Problem},
    read::{Freshness, Read},
    state::App,
};
pub(crate) use model::{MembershipView, RoleName};
use model::{OrganizationList, OrganizationRequest, OrganizationView};

const COLLECTION: &str = "/v1/organizations";
/// Organisations that a user can be a member of and still make or join another.
const MAX_OF_USER: u32 = 100;

/// Everything that is done with organisations.
pub(crate) type Apis = (Organizations, Members, Invitations, Answers, Billing);

pub(crate) fn apis(app: &App) -> Apis {
    (
        Organizations { app: app.clone() },
        Members { app: app.clone() },
        Invitations { app: app.clone() },
        Answers { app: app.clone() },
        Billing { app: app.clone() },
    )
}

pub(crate) struct Organizations {
    pub app: App,
}

#[OpenApi(tag = "Tag::Organizations")]
impl Organizations {
    /// Make an organisation
    ///
    /// Whoever makes it owns it. The slug is nobody else's, so that sending it again makes no second
    /// one.
    #[oai(path = "/v1/organizations", method = "post", operation_id = "create_organization")]
    async fn create(
        &self,
        caller: SignedIn,
        body: Input<OrganizationRequest>,
    ) -> Result<Accepted, Problem> {
        let (app, user) = (&self.app, caller.user);
        check_room(app, user).await?;
        let org = OrganizationId::from_uuid(app.journal.clock().new_id());
        let (context, now) = (caller.client.context_in(app, org), app.journal.clock().now());
        let OrganizationRequest { name, slug, logo_url } = body.value;
        let settings = Settings { name, slug, logo_url };
        let command = OrganizationCommand::Found { settings, founder: user, now };
        let committed = app.execute::<Organization>(context, org.to_string(), command).await?;
        app.members.forget(user);
        Ok(Accepted::new(committed, COLLECTION))
    }

    /// List the own organisations
    ///
    /// Those that whoever has signed in is a member of, and what they are there.
    #[oai(path = "/v1/organizations", method = "get", operation_id = "list_my_organizations")]
    async fn list(
        &self,
        caller: SignedIn,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<OrganizationList>, Problem> {
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let found = organizations::memberships(&view, caller.user, projections::MAX_LIMIT).await?;
        let organizations = found.into_iter().map(MembershipView::from).collect();
        Ok(Read::new(OrganizationList { organizations }, view.position()))
    }

    /// Read an organisation
    #[oai(path = "/v1/organizations/:id", method = "get", operation_id = "get_organization")]
    async fn get(
        &self,
        caller: Caller,
        #[expect(unused_variables, reason = "it has named the organisation of the caller")]
        id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
        /// The `ETag` that is known already; answered with 304 while it is the present one.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<Read<OrganizationView>, Problem> {
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let row = organizations::get(caller.tenant(), &view).await?;
        let row = row.ok_or_else(Problem::not_found)?;
        let tag = etag(row.version);
        let read = Read::new(OrganizationView::from(row), view.position());
        Ok(read.versioned(tag, if_none_match.0.as_deref()))
    }

    /// Change an organisation
    ///
    /// The body takes the place of its name, its slug and its logo. The former slug is free at once.
    #[oai(path = "/v1/organizations/:id", method = "put", operation_id = "change_organization")]
    async fn change(
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
        body: Input<OrganizationRequest>,
    ) -> Result<Accepted, Problem> {
        let OrganizationRequest { name, slug, logo_url } = body.value;
        let settings = Settings { name, slug, logo_url };
        let terms = (request, key.0, Some(&body.raw));
        let changed = |now| OrganizationCommand::ChangeSettings { settings, now };
        give_pinned(&self.app, &caller, terms, if_match.0, changed).await
    }

    /// Archive an organisation
    ///
    /// From then on it can be read and brought back, and nothing else.
    #[oai(
        path = "/v1/organizations/:id/archive",
        method = "post",
        operation_id = "archive_organization"
    )]
    async fn archive(
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
    ) -> Result<Accepted, Problem> {
        let terms = (request, key.0, None);
        let archived = |now| OrganizationCommand::Archive { now };
        give_pinned(&self.app, &caller, terms, if_match.0, archived).await
    }

    /// Bring an archived organisation back
    #[oai(
        path = "/v1/organizations/:id/unarchive",
        method = "post",
        operation_id = "unarchive_organization"
    )]
    async fn unarchive(
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
    ) -> Result<Accepted, Problem> {
        let terms = (request, key.0, None);
        let brought_back = |now| OrganizationCommand::BringBack { now };
        give_pinned(&self.app, &caller, terms, if_match.0, brought_back).await
    }
}

/// Whether the user can be in one more organisation.
async fn check_room(app: &App, user: UserId) -> Result<(), Problem> {
    let view = app.views.open(organizations::NAME, None, Duration::ZERO).await?;
    let memberships = organizations::memberships(&view, user, MAX_OF_USER).await?;
    if memberships.len() < MAX_OF_USER as usize {
        return Ok(());
    }
    let detail = format!("nobody makes or joins more than {MAX_OF_USER} organisations");
    Err(Problem::new(Code::Conflict, detail))
}

/// The request, its idempotency key and its body.
type Given<'a> = (&'a Request, Option<String>, Option<&'a serde_json::Value>);

async fn commit(
    app: &App,
    caller: &Caller,
    (request, key, body): Given<'_>,
    if_match: Option<String>,
    command: impl FnOnce(Timestamp) -> OrganizationCommand,
) -> Result<Committed, Problem> {
    let context = Terms::new(request, key, if_match).context(app, caller, body)?;
    let command = command(app.journal.clock().now());
    app.execute::<Organization>(context, caller.org.to_string(), command).await
}

/// Gives a command about the caller's organisation.
async fn give(
    app: &App,
    caller: &Caller,
    given: Given<'_>,
    command: impl FnOnce(Timestamp) -> OrganizationCommand,
) -> Result<Accepted, Problem> {
    give_pinned(app, caller, given, None, command).await
}

/// The same, about the version of it that the client has seen.
async fn give_pinned(
    app: &App,
    caller: &Caller,
    given: Given<'_>,
    if_match: Option<String>,
    command: impl FnOnce(Timestamp) -> OrganizationCommand,
) -> Result<Accepted, Problem> {
    let committed = commit(app, caller, given, if_match, command).await?;
    Ok(Accepted::new(committed, COLLECTION))
}

/// Gives a command about one of its members.
async fn give_about(
    app: &App,
    caller: &Caller,
    given: Given<'_>,
    member: String,
    command: impl FnOnce(Timestamp) -> OrganizationCommand,
) -> Result<Accepted, Problem> {
    let committed = commit(app, caller, given, None, command).await?;
    let collection = format!("{COLLECTION}/{}/members", caller.org);
    Ok(Accepted::of_part(committed, member, &collection))
}
