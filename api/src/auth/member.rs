use std::sync::Arc;

use access::{Area, Permissions, Principal, Role};
use domain::{
    ids::{OrganizationId, UserId},
    organizations,
};
use poem::Request;
use projections::organizations::Standing;

use super::{
    By, Caller,
    acting::{Acting, Condition},
    decision,
    members::Wanted,
};
use crate::{
    accounts::signed_in,
    frame::Scope,
    ids::parse_id,
    problem::{Code, Problem},
    routes::Route,
    state::App,
};

/// Names the organisation in which a member acts, by its id or its slug.
const ORGANIZATION: &str = "millrace-organization";

/// Somebody who was a member of the organisation when it was looked up.
#[derive(Debug)]
pub(crate) struct ValidMember {
    pub user: UserId,
    pub slug: String,
    pub acting: Acting,
}

impl ValidMember {
    pub fn new(
        user: UserId,
        slug: String,
        (org, standing): (OrganizationId, &Standing),
        condition: Condition,
        policies_position: u64,
    ) -> Self {
        let member = Some(place(org, standing));
        let principal = Principal::User { id: user.to_string(), member };
        Self { user, slug, acting: Acting::new(org, principal, condition, policies_position) }
    }
}

/// The member who sent the access token, if they may do what the operation asks for.
pub(super) async fn authenticate(
    app: &App,
    scope: &Arc<Scope>,
    request: &Request,
    route: &Route,
) -> Result<Caller, Problem> {
    let person = signed_in(request).await?;
    if decision::asked_of(route, request, scope)?.resource().area() == Area::Platform {
        return Err(decision::platform_only());
    }
    let wanted = wanted(request, route, person.organization)?;
    let member = app.members.find(app, person.user, wanted).await?;
    let (org, presence) = (member.acting.org, person.presence());
    let policies = app.policies.of(app, org, member.acting.policies_position).await?;
    decision::decide(app, &policies, request, route, scope, &member.acting, &presence).await?;
    let (by, session) = (By::Member(member), person.session);
    let (operator, scope) = (person.operator, Arc::clone(scope));
    Ok(Caller { org, by, session, presence, operator, scope })
}

/// The path says it, else the header, else the token.
fn wanted(
    request: &Request,
    route: &Route,
    of_token: Option<OrganizationId>,
) -> Result<Wanted, Problem> {
    if route.names_organization {
        let id = parse_id(decision::named(request))?;
        return Ok(Wanted::Id(id));
    }
    match request.headers().get(ORGANIZATION).map(|value| value.to_str()) {
        Some(Ok(text)) => Ok(Wanted::named(text)),
        Some(Err(_)) => {
            let message = "it must be the id or the slug of an organisation";
            Err(Problem::new(Code::InvalidParameter, message).at(ORGANIZATION, message))
        }
        None => Ok(of_token.map_or(Wanted::OnlyOne, Wanted::Id)),
    }
}

/// A place in an organisation as decisions know it.
pub(crate) fn place(org: OrganizationId, standing: &Standing) -> access::Member {
    access::Member {
        organization: org.to_string(),
        role: role(standing.role),
        extra: Permissions::stored(&standing.permissions),
    }
}

pub(crate) const fn role(role: organizations::Role) -> Role {
    match role {
        organizations::Role::Viewer => Role::Viewer,
        organizations::Role::Developer => Role::Developer,
        organizations::Role::Admin => Role::Admin,
        organizations::Role::Owner => Role::Owner,
    }
}
