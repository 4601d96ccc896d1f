use domain::{
    ids::OrganizationId,
    organizations::{Organization, OrganizationCommand},
};
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use projections::{
    TenantScope,
    organizations::{self, Search},
};

use super::{
    model::{Ended, OrganizationPage, OrganizationState, OrganizationView, ReasonRequest},
    suspension::{Ending, Suspended},
};
use crate::{
    auth::PlatformCaller,
    command::{Accepted, Input, Terms},
    document::Tag,
    done::Done,
    ids::parse_id,
    problem::Problem,
    read::{Freshness, Read, slice},
    state::App,
};

const COLLECTION: &str = "/v1/admin/organizations";

pub(crate) struct Organizations {
    pub app: App,
}

#[OpenApi(tag = "Tag::Administration")]
impl Organizations {
    /// Search organisations
    ///
    /// Oldest first.
    #[oai(
        path = "/v1/admin/organizations",
        method = "get",
        operation_id = "list_all_organizations"
    )]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        _caller: PlatformCaller,
        slug: Query<Option<String>>,
        /// The beginning of the name, in capitals or not.
        name: Query<Option<String>>,
        state: Query<Option<OrganizationState>>,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<OrganizationPage>, Problem> {
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let search = Search { slug: slug.0, name: name.0, standing: state.0.map(Into::into) };
        let page = organizations::search(&view, &search, slice(&limit, &cursor)).await?;
        let organizations = page.items.into_iter().map(OrganizationView::from).collect();
        let page = OrganizationPage { organizations, next_cursor: page.next_cursor };
        Ok(Read::new(page, view.position()))
    }

    /// Read an organisation
    #[oai(
        path = "/v1/admin/organizations/:id",
        method = "get",
        operation_id = "get_any_organization"
    )]
    async fn get(
        &self,
        _caller: PlatformCaller,
        id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<OrganizationView>, Problem> {
        let org = parse_id::<OrganizationId>(&id.0)?;
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let row = organizations::get(TenantScope(org), &view).await?;
        let row = row.ok_or_else(Problem::not_found)?;
        Ok(Read::new(OrganizationView::from(row), view.position()))
    }

    /// Suspend an organisation
    ///
    /// Refuses its keys and what its members do in it and ends open streams, on every replica within a
    /// second; then cancels its jobs that have not started. The answer says how long it took. Asking
    /// again finishes what was broken off.
    #[oai(
        path = "/v1/admin/organizations/:id/suspend",
        method = "post",
        operation_id = "suspend_organization"
    )]
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
        let org = parse_id::<OrganizationId>(&id.0)?;
        let caller = caller.for_organization(org);
        let context =
            Terms::new(request, key.0, None).context(&self.app, &caller, Some(&body.raw))?;
        let (reason, now) = (body.value.reason, self.app.journal.clock().now());
        let command = OrganizationCommand::Suspend { reason, now };
        let ending = Ending::<Organization> { context, id: org.to_string(), command };
        let suspended = Suspended::Organization(org);
        let ended = ending.carry_out_with_jobs(&self.app, caller, suspended).await?;
        let location = format!("{COLLECTION}/{org}");
        Ok(Done::new(ended, location))
    }

    /// Lift the suspension of an organisation
    #[oai(
        path = "/v1/admin/organizations/:id/unsuspend",
        method = "post",
        operation_id = "unsuspend_organization"
    )]
    async fn unsuspend(
        &self,
        caller: PlatformCaller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let org = parse_id::<OrganizationId>(&id.0)?;
        let caller = caller.for_organization(org);
        let context = Terms::new(request, key.0, None).context(&self.app, &caller, None)?;
        let command = OrganizationCommand::Unsuspend { now: self.app.journal.clock().now() };
        let committed = self.app.execute::<Organization>(context, org.to_string(), command).await?;
        Ok(Accepted::new(committed, COLLECTION))
    }
}
