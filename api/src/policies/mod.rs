//! The organisation's own policies: what holds beside the roles and boundaries of the house.

mod cache;
mod form;
mod model;

use access::Policy;
use domain::{
    ids::PolicyId,
    organizations::{MAX_POLICIES, MAX_ZONES, Organization, OrganizationCommand},
};
use journal::Committed;
use poem::Request;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};
use projections::{
    View,
    organizations::{self, PolicyRow},
};
use serde_json::Value;

pub(crate) use cache::{PolicyCache, compile};

use crate::{
    auth::Caller,
    command::{Accepted, Input, Terms, part_made},
    document::Tag,
    ids::parse_id,
    problem::{Code, Problem},
    read::{Freshness, Read, slice},
    state::App,
};
use form::WrittenPolicy;
use model::{PolicyPage, PolicyView};

const COLLECTION: &str = "/v1/policies";
const _: () = assert!(
    access::MAX_POLICIES == MAX_POLICIES && access::MAX_ZONES == MAX_ZONES,
    "what the organisation takes can be compiled"
);

pub(crate) struct Policies {
    pub app: App,
}

#[OpenApi(tag = "Tag::Policies")]
impl Policies {
    /// Add a policy
    ///
    /// `{"name": "no scans of production at night", "effect": "deny", "roles": ["developer"],
    /// "resource_type": "scans", "actions": ["create"], "conditions": {"environment": {"equals":
    /// "production"}, "time": {"between": ["22:00", "06:00"], "zone": "Europe/Berlin"}}}`. Deny wins.
    /// It holds on every front end within a second.
    #[oai(path = "/v1/policies", method = "post", operation_id = "add_policy")]
    async fn add(
        &self,
        caller: Caller,
        request: &Request,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<WrittenPolicy>,
    ) -> Result<Accepted, Problem> {
        let context =
            Terms::new(request, key.0, None).context(&self.app, &caller, Some(&body.raw))?;
        check(&body.raw)?;
        let clock = self.app.journal.clock();
        let policy_id = PolicyId::from_uuid(clock.new_id());
        let command =
            OrganizationCommand::AddPolicy { policy_id, policy: body.raw, now: clock.now() };
        let organization = caller.org.to_string();
        let committed = self.app.execute::<Organization>(context, organization, command).await?;
        let id = part_made(&self.app, &committed, "policy_id", policy_id).await?;
        Ok(accepted(committed, id))
    }

    /// List the policies
    ///
    /// The oldest first.
    #[oai(path = "/v1/policies", method = "get", operation_id = "list_policies")]
    async fn list(
        &self,
        caller: Caller,
        #[oai(validator(minimum(value = "1"), maximum(value = "500")))] limit: Query<Option<u32>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<PolicyPage>, Problem> {
        let view = fresh.open(&self.app, organizations::NAME).await?;
        let slice = slice(&limit, &cursor);
        let page = organizations::policies(caller.tenant(), &view, slice).await?;
        let policies = page.items.into_iter().map(PolicyView::from).collect();
        Ok(Read::new(PolicyPage { policies, next_cursor: page.next_cursor }, view.position()))
    }

    /// Read a policy
    #[oai(path = "/v1/policies/:id", method = "get", operation_id = "get_policy")]
    async fn get(
        &self,
        caller: Caller,
        id: Path<String>,
        /// Wait until the answer contains this position of the log.
        #[oai(name = "Millrace-Min-Position")]
        fresh: Freshness,
    ) -> Result<Read<PolicyView>, Problem> {
        let (view, row) = find(&self.app, &caller, &id.0, fresh).await?;
        Ok(Read::new(PolicyView::from(row), view.position()))
    }

    /// Change a policy
    ///
    /// The body takes the place of all of it.
    #[oai(path = "/v1/policies/:id", method = "put", operation_id = "change_policy")]
    async fn change(
        &self,
        caller: Caller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
        body: Input<WrittenPolicy>,
    ) -> Result<Accepted, Problem> {
        let policy_id = parse_id(&id.0)?;
        let context =
            Terms::new(request, key.0, None).context(&self.app, &caller, Some(&body.raw))?;
        check(&body.raw)?;
        let now = self.app.journal.clock().now();
        let command = OrganizationCommand::ChangePolicy { policy_id, policy: body.raw, now };
        let organization = caller.org.to_string();
        let committed = self.app.execute::<Organization>(context, organization, command).await?;
        Ok(accepted(committed, policy_id))
    }

    /// Remove a policy
    #[oai(path = "/v1/policies/:id", method = "delete", operation_id = "remove_policy")]
    async fn remove(
        &self,
        caller: Caller,
        request: &Request,
        id: Path<String>,
        /// Makes it safe to send the command again: 1 to 255 visible characters.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<String>>,
    ) -> Result<Accepted, Problem> {
        let policy_id = parse_id(&id.0)?;
        let context = Terms::new(request, key.0, None).context(&self.app, &caller, None)?;
        let now = self.app.journal.clock().now();
        let command = OrganizationCommand::RemovePolicy { policy_id, now };
        let organization = caller.org.to_string();
        let committed = self.app.execute::<Organization>(context, organization, command).await?;
        Ok(accepted(committed, policy_id))
    }
}

fn accepted(committed: Committed, id: PolicyId) -> Accepted {
    Accepted::of_part(committed, id.to_string(), COLLECTION)
}

/// Every fault of the policy, each with its field.
fn check(json: &Value) -> Result<(), Problem> {
    let Err(faults) = Policy::from_json(json) else { return Ok(()) };
    let problem = Problem::new(Code::ValidationFailed, "the policy is not one that can hold");
    Err(faults.into_iter().fold(problem, |problem, fault| problem.at(fault.field, fault.reason)))
}

async fn find(
    app: &App,
    caller: &Caller,
    id: &str,
    fresh: Freshness,
) -> Result<(View, PolicyRow), Problem> {
    let id = parse_id(id)?;
    let view = fresh.open(app, organizations::NAME).await?;
    let row = organizations::policy(caller.tenant(), &view, id).await?;
    Ok((view, row.ok_or_else(Problem::not_found)?))
}
