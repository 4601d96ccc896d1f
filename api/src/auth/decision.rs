//! Whether the caller may do what the operation asks for.

use std::{borrow::Cow, time::Duration};

use access::{
    Action, Area, Circumstances, Decision, Policies, PolicyRef, Principal, Reason, Resource, Role,
};
use domain::ids::UserId;
use poem::{PathPattern, Request};
use projections::{TenantScope, organizations};

use super::{Acting, Caller};
use crate::{
    frame::Scope,
    problem::{Code, Problem},
    routes::Route,
    state::App,
};

/// As the router names the parameters of a path.
const PARAMETERS: [&str; 2] = ["param0", "param1"];

/// How whoever acts has come to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presence {
    /// Whether they gave a second factor when they signed in. A key has none.
    pub second_factor: bool,
    /// By whom they were let in, as policies name it.
    pub signed_in_by: Cow<'static, str>,
    /// Whether it is an operator who acts as somebody.
    pub impersonated: bool,
}

impl Presence {
    pub const OF_KEY: Self = Self {
        second_factor: false,
        signed_in_by: Cow::Borrowed(access::BY_KEY),
        impersonated: false,
    };
}

/// Refuses the request unless whoever acts may do what its operation asks for.
pub(super) async fn decide(
    app: &App,
    policies: &Policies,
    request: &Request,
    route: &Route,
    scope: &Scope,
    acting: &Acting,
    presence: &Presence,
) -> Result<(), Problem> {
    let action = asked_of(route, request, scope)?;
    acting.condition.check(action)?;
    if !presence.impersonated && acting.was_allowed(action) {
        return Ok(());
    }
    let principal = acting.principal(action.resource().area());
    let resource = resource(app, acting, action, request, route).await?;
    let owned = resource.owner.is_some();
    judge(app, policies, scope, presence, action, principal, &resource)?;
    if !owned && !presence.impersonated {
        acting.note_allowed(action);
    }
    Ok(())
}

/// Refuses the request unless whoever has signed in may do what its operation asks for, to what is
/// their own, or as somebody who is not a member yet. No organisation has a say in that.
pub(crate) fn decide_own(
    app: &App,
    request: &Request,
    scope: &Scope,
    user: UserId,
    presence: &Presence,
) -> Result<(), Problem> {
    let action = asked(app, request, scope)?;
    let principal = Principal::User { id: user.to_string(), member: None };
    let resource = match action.resource().area() {
        Area::Account => Resource::of_user(user.to_string()).with_id(named(request)),
        Area::Organization | Area::Public | Area::Platform => Resource::platform(),
    };
    judge(app, app.policies.built_in(), scope, presence, action, &principal, &resource)
}

fn judge(
    app: &App,
    policies: &Policies,
    scope: &Scope,
    presence: &Presence,
    action: Action,
    principal: &Principal,
    resource: &Resource,
) -> Result<(), Problem> {
    let decision = weigh(app, policies, scope, presence, action, principal, resource);
    if decision.allowed {
        return Ok(());
    }
    let refused = refusal(action, &decision);
    if presence.impersonated || !matches!(principal, Principal::User { .. }) {
        return Err(refused);
    }
    let may = |instead: &Presence| {
        weigh(app, policies, scope, instead, action, principal, resource).allowed
    };
    if !presence.second_factor && may(&Presence { second_factor: true, ..presence.clone() }) {
        return Err(Problem::new(Code::SecondFactorNeeded, refused.detail));
    }
    let providers = app.options.login.providers.iter().map(|provider| &provider.name);
    let through = |name: &&String| {
        let signed_in_by = Cow::Owned((*name).clone());
        may(&Presence { signed_in_by, second_factor: true, impersonated: false })
    };
    match providers.into_iter().find(through) {
        Some(name) => {
            let detail = format!("{}; sign in through `{name}`", refused.detail);
            Err(Problem::new(Code::ProviderNeeded, detail))
        }
        None => Err(refused),
    }
}

fn weigh(
    app: &App,
    policies: &Policies,
    scope: &Scope,
    presence: &Presence,
    action: Action,
    principal: &Principal,
    resource: &Resource,
) -> Decision {
    let circumstances = Circumstances {
        time: Some(app.journal.clock().now()),
        address: scope.address,
        second_factor: Some(presence.second_factor),
        signed_in_by: Some(presence.signed_in_by.clone().into_owned()),
        impersonated: presence.impersonated,
        ..Circumstances::default()
    };
    policies.decide(&access::Request { principal, action, resource, circumstances: &circumstances })
}

/// Whether the caller may do something else too, to what is its organisation's. The operation goes on
/// either way.
pub(crate) async fn may(app: &App, caller: &Caller, action: Action) -> Result<bool, Problem> {
    let acting = caller.acting();
    let policies = app.policies.of(app, caller.org, acting.policies_position).await?;
    let area = action.resource().area();
    let (principal, resource) = (acting.principal(area), collection(acting, area));
    Ok(weigh(app, &policies, &caller.scope, &caller.presence, action, principal, &resource).allowed)
}

/// What the operation of the request asks for.
pub(crate) fn asked(app: &App, request: &Request, scope: &Scope) -> Result<Action, Problem> {
    asked_of(route(app, request)?, request, scope)
}

/// The route that the request took.
pub(super) fn route<'a>(app: &'a App, request: &Request) -> Result<&'a Route, Problem> {
    let route = request.data::<PathPattern>().and_then(|pattern| app.routes.get(&pattern.0));
    route.ok_or_else(|| Problem::new(Code::Internal, "the operation has no route"))
}

/// Keeps with the request which operation it asks for; gives what that needs.
pub(super) fn asked_of(route: &Route, request: &Request, scope: &Scope) -> Result<Action, Problem> {
    let found = route.operation(request.method());
    let (id, action) =
        found.ok_or_else(|| Problem::new(Code::Internal, "the operation has no action"))?;
    let _ = scope.operation.set(id);
    Ok(action)
}

/// The same, of a request that may be for no operation.
pub(crate) fn note_operation(app: &App, request: &Request, scope: &Scope) {
    if let Ok(route) = route(app, request) {
        let _noted = asked_of(route, request, scope);
    }
}

/// The first parameter of the path, empty when it has none.
pub(super) fn named(request: &Request) -> &str {
    request.raw_path_param(PARAMETERS[0]).unwrap_or_default()
}

/// What the organisation has of a kind, or the platform.
fn collection(acting: &Acting, area: Area) -> Resource {
    match area {
        Area::Organization | Area::Account => Resource::of_organization(acting.org.to_string()),
        Area::Public | Area::Platform => Resource::platform(),
    }
}

/// What another organisation owns is not found later: it is asked for by id within the caller's own.
async fn resource(
    app: &App,
    acting: &Acting,
    action: Action,
    request: &Request,
    route: &Route,
) -> Result<Resource, Problem> {
    let resource = collection(acting, action.resource().area());
    let [first, second] = PARAMETERS.map(|name| request.raw_path_param(name));
    let id = if route.names_organization { second.or(first) } else { first }.unwrap_or_default();
    let resource = resource.with_id(id);
    let Principal::User { id: user, member: Some(member) } = &acting.principal else {
        return Ok(resource);
    };
    match action {
        Action::MembersLeave => Ok(resource.owned_by(user)),
        // Developers may touch keys of their own.
        Action::KeysUpdate | Action::KeysRevoke if member.role < Role::Admin => {
            let Ok(key) = id.parse() else { return Ok(resource) };
            let view = app.views.open(organizations::NAME, None, Duration::ZERO).await?;
            let key = organizations::key(TenantScope(acting.org), &view, key).await?;
            let issuer = key.and_then(|key| key.issuer);
            Ok(match issuer {
                Some(issuer) => resource.owned_by(issuer.to_string()),
                None => resource,
            })
        }
        _ => Ok(resource),
    }
}

fn refusal(action: Action, decision: &Decision) -> Problem {
    if decision.reason == Reason::Undecidable {
        tracing::error!(%action, "a policy could not be worked out");
        return Problem::new(Code::Internal, "the request failed on our side; it has been logged");
    }
    if action.resource().area() == Area::Platform {
        return platform_only();
    }
    if decision.determining.iter().any(is_about_impersonation) {
        let detail = "this is left to whom the account is of, and an operator acts in their place";
        return Problem::new(Code::ImpersonationForbidden, detail);
    }
    let detail = match decision.determining.first() {
        Some(PolicyRef::BuiltIn(policy)) => format!("`{action}` is refused by `{policy}`"),
        Some(PolicyRef::Organization(policy)) => format!("`{action}` is refused by {policy}"),
        None => format!("`{action}` is allowed by no policy"),
    };
    Problem::new(Code::Forbidden, detail)
}

fn is_about_impersonation(policy: &PolicyRef) -> bool {
    matches!(policy, PolicyRef::BuiltIn(id) if id.starts_with("boundary/impersonation-"))
}

pub(super) fn platform_only() -> Problem {
    let detail = "this concerns the whole installation, and the key is not one of the platform";
    Problem::new(Code::PlatformOnly, detail)
}
