//! The audit log: that of an organisation, that of a person and that of the whole installation.

mod error;
mod export;
mod model;
mod shown;
mod sinks;

use access::Action;
use domain::{
    Timestamp,
    ids::{ApiKeyId, OrganizationId, UserId},
    users::own_organization,
};
use poem_openapi::{OpenApi, param::Query};
use projections::{
    Reach, Slice, TenantScope,
    audit::{self, Sight, Wanted},
};

use crate::{
    accounts::SignedIn,
    auth::{Caller, PlatformCaller, may},
    command::Input,
    document::Tag,
    problem::Problem,
    read::{Freshness, Read, slice},
    state::App,
};
use export::Exported;
use model::{AuditPage, ExportRequest};
pub(crate) use sinks::AuditSinks;

pub(crate) struct AuditLog {
    pub app: App,
}

#[OpenApi(tag = "Tag::Audit")]
impl AuditLog {
    /// Read the audit log
    ///
    /// Everything that was done in the organisation, newest first. Secrets are never in it. Personal data is
    /// masked, and addresses are shown as their network, unless the caller may `audit:read_personal`.
    #[oai(path = "/v1/audit", method = "get", operation_id = "list_audit_entries")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        caller: Caller,
        /// Who did it: `user_...`, `key_...`, `system:worker`, `operator` or `anonymous`.
        actor: Query<Option<String>>,
        /// The id of what it was done to.
        resource_id: Query<Option<String>>,
        /// Names of event types, separated by commas.
        action: Query<Option<String>>,
        /// Done by the request with this id.
        request_id: Query<Option<String>>,
        /// Not before this moment (RFC 3339).
        from: Query<Option<Timestamp>>,
        /// Before this moment (RFC 3339).
        until: Query<Option<Timestamp>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<AuditPage>, Problem> {
        let wanted = Wanted {
            actor: actor.0.map(actor_text),
            resource_id: resource_id.0,
            actions: actions(action.0.as_deref())?,
            request_id: request_id.0,
            from: from.0,
            until: until.0,
            ..Wanted::default()
        };
        let sight = Sight::of(may(&self.app, &caller, Action::AuditReadPersonal).await?);
        let slice = slice(&limit, &cursor);
        let reach = Reach::Organization(caller.tenant());
        page(&self.app, reach, &wanted, sight, slice, fresh).await
    }

    /// Export the audit log
    ///
    /// All entries that are wanted, newest first, as one document. What was exported, and by whom, is an
    /// entry itself. Personal data is masked unless the caller may `audit:read_personal`.
    #[oai(path = "/v1/audit/exports", method = "post", operation_id = "export_audit_entries")]
    async fn export(
        &self,
        caller: Caller,
        body: Input<ExportRequest>,
    ) -> Result<Exported, Problem> {
        let sight = Sight::of(may(&self.app, &caller, Action::AuditReadPersonal).await?);
        let reach = Reach::Organization(caller.tenant());
        export::export(&self.app, &caller, reach, sight, body.value).await
    }

    /// Export the audit log of the installation
    #[oai(
        path = "/v1/admin/audit/exports",
        method = "post",
        operation_id = "export_all_audit_entries"
    )]
    async fn export_all(
        &self,
        caller: PlatformCaller,
        body: Input<ExportRequest>,
    ) -> Result<Exported, Problem> {
        let (reach, sight) = (Reach::Installation, Sight::Everything);
        export::export(&self.app, caller.as_caller(), reach, sight, body.value).await
    }

    /// Read the audit log of the own account
    ///
    /// Signing in, changes of the account and what else concerns it, newest first.
    #[oai(path = "/v1/users/me/audit", method = "get", operation_id = "list_my_audit_entries")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn mine(
        &self,
        caller: SignedIn,
        /// Names of event types, separated by commas.
        action: Query<Option<String>>,
        /// Not before this moment (RFC 3339).
        from: Query<Option<Timestamp>>,
        /// Before this moment (RFC 3339).
        until: Query<Option<Timestamp>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<AuditPage>, Problem> {
        let actions = actions(action.0.as_deref())?;
        let wanted = Wanted { actions, from: from.0, until: until.0, ..Wanted::default() };
        let slice = slice(&limit, &cursor);
        let reach = Reach::Organization(TenantScope(own_organization(caller.user)));
        page(&self.app, reach, &wanted, Sight::Everything, slice, fresh).await
    }

    /// Read the audit log of the installation
    ///
    /// Everything that was done anywhere, newest first.
    #[oai(path = "/v1/admin/audit", method = "get", operation_id = "list_all_audit_entries")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn all(
        &self,
        _caller: PlatformCaller,
        /// Of this organisation, or of this person's own account.
        organization_id: Query<Option<String>>,
        /// Who did it: `user_...`, `key_...`, `system:worker`, `operator` or `anonymous`.
        actor: Query<Option<String>>,
        /// The id of what it was done to.
        resource_id: Query<Option<String>>,
        /// Names of event types, separated by commas.
        action: Query<Option<String>>,
        /// Done by the request with this id.
        request_id: Query<Option<String>>,
        /// Not before this moment (RFC 3339).
        from: Query<Option<Timestamp>>,
        /// Before this moment (RFC 3339).
        until: Query<Option<Timestamp>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<AuditPage>, Problem> {
        let wanted = Wanted {
            org: organization_id.0.as_deref().map(organization).transpose()?,
            actor: actor.0.map(actor_text),
            resource_id: resource_id.0,
            actions: actions(action.0.as_deref())?,
            request_id: request_id.0,
            from: from.0,
            until: until.0,
            ..Wanted::default()
        };
        let slice = slice(&limit, &cursor);
        page(&self.app, Reach::Installation, &wanted, Sight::Everything, slice, fresh).await
    }
}

fn wanted(request: ExportRequest) -> Result<Wanted, Problem> {
    Ok(Wanted {
        org: request.organization_id.as_deref().map(organization).transpose()?,
        actor: request.actor.map(actor_text),
        resource_id: request.resource_id,
        actions: actions(request.action.as_deref())?,
        request_id: request.request_id,
        from: request.from,
        until: request.until,
        ..Wanted::default()
    })
}

async fn page(
    app: &App,
    reach: Reach,
    wanted: &Wanted,
    sight: Sight,
    slice: Slice<'_>,
    fresh: Freshness,
) -> Result<Read<AuditPage>, Problem> {
    let view = fresh.open(app, audit::NAME).await?;
    let page = audit::list(reach, &view, wanted, slice).await?;
    let mut entries = Vec::with_capacity(page.items.len());
    for entry in page.items {
        entries.push(shown::shown(app, entry, sight).await?);
    }
    Ok(Read::new(AuditPage { entries, next_cursor: page.next_cursor }, view.position()))
}

/// An id says what kind of actor it is.
fn actor_text(text: String) -> String {
    if text.parse::<UserId>().is_ok() {
        format!("user:{text}")
    } else if text.parse::<ApiKeyId>().is_ok() {
        format!("api_key:{text}")
    } else {
        text
    }
}

/// A person is the tenant of their own account.
fn organization(id: &str) -> Result<OrganizationId, Problem> {
    let person = || id.parse().map(own_organization);
    id.parse().or_else(|_| person()).map_err(|_| {
        let message = "it must be the id of an organisation or of a user";
        Problem::parameter("organization_id", message)
    })
}

fn actions(list: Option<&str>) -> Result<Vec<String>, Problem> {
    let names = list.into_iter().flat_map(|list| list.split(',')).map(str::trim);
    let names: Vec<_> = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let known = |name: &String| domain::event::catalogue().any(|known| known.name == name);
    if names.iter().all(known) {
        return Ok(names);
    }
    let message = "it must name event types, such as `organization.api_key_issued`";
    Err(Problem::parameter("action", message))
}
