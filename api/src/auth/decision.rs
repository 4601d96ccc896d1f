//! Whether the caller may do what the operation asks for.

use access::{
    Action, Area, Circumstances, Decision, Policies, PolicyRef, Principal, Reason, Resource,
};
use domain::ids::UserId;
use poem::{PathPattern, Request};

use super::{Caller, ValidKey};
use crate::{
    frame::Scope,
    problem::{Code, Problem},
    state::App,
};

/// As the router names the first parameter of a path.
const FIRST_PARAMETER: &str = "param0";

/// Refuses the request unless the key may do what its operation asks for.
pub(super) fn decide(
    app: &App,
    policies: &Policies,
    request: &Request,
    scope: &Scope,
    key: &ValidKey,
) -> Result<(), Problem> {
    let action = asked(app, request, scope)?;
    if key.was_allowed(action) {
        return Ok(());
    }
    let area = action.resource().area();
    let resource = resource(key, area, request.raw_path_param(FIRST_PARAMETER));
    judge(app, policies, scope, false, action, principal(key, area), &resource)?;
    key.note_allowed(action);
    Ok(())
}

/// Refuses the request unless whoever has signed in may do what its operation asks for, to what is
/// their own. No organisation has a say in that.
pub(crate) fn decide_own(
    app: &App,
    request: &Request,
    scope: &Scope,
    user: UserId,
    second_factor: bool,
) -> Result<(), Problem> {
    let action = asked(app, request, scope)?;
    let principal = Principal::User { id: user.to_string(), member: None };
    let named = request.raw_path_param(FIRST_PARAMETER).unwrap_or_default();
    let resource = Resource::of_user(user.to_string()).with_id(named);
    judge(app, app.policies.built_in(), scope, second_factor, action, &principal, &resource)
}

fn judge(
    app: &App,
    policies: &Policies,
    scope: &Scope,
    second_factor: bool,
    action: Action,
    principal: &Principal,
    resource: &Resource,
) -> Result<(), Problem> {
    let decision = weigh(app, policies, scope, second_factor, action, principal, resource);
    if decision.allowed { Ok(()) } else { Err(refusal(action, &decision)) }
}

fn weigh(
    app: &App,
    policies: &Policies,
    scope: &Scope,
    second_factor: bool,
    action: Action,
    principal: &Principal,
    resource: &Resource,
) -> Decision {
    let circumstances = Circumstances {
        time: Some(app.journal.clock().now()),
        address: scope.address,
        second_factor: Some(second_factor),
        ..Circumstances::default()
    };
    policies.decide(&access::Request { principal, action, resource, circumstances: &circumstances })
}

/// Whether the caller may do something else too, to what is its organisation's. The operation goes on
/// either way.
pub(crate) async fn may(app: &App, caller: &Caller, action: Action) -> Result<bool, Problem> {
    let key = &caller.valid;
    let policies = app.policies.of(app, caller.org, key.policies_position).await?;
    let area = action.resource().area();
    let (principal, resource) = (principal(key, area), resource(key, area, None));
    Ok(weigh(app, &policies, &caller.scope, false, action, principal, &resource).allowed)
}

/// What the operation of the request asks for.
pub(crate) fn asked(app: &App, request: &Request, scope: &Scope) -> Result<Action, Problem> {
    note_operation(app, request, scope)
        .ok_or_else(|| Problem::new(Code::Internal, "the operation has no action"))
}

/// Keeps with the request which operation it asks for; gives what that needs.
pub(crate) fn note_operation(app: &App, request: &Request, scope: &Scope) -> Option<Action> {
    let route = request.data::<PathPattern>().and_then(|pattern| app.routes.get(&pattern.0))?;
    let (id, action) = route.operation(request.method())?;
    let _ = scope.operation.set(id);
    Some(action)
}

/// What is the platform's is done by whoever runs it, everything else by the key of an
/// organisation.
fn principal(key: &ValidKey, area: Area) -> &Principal {
    key.operator.as_ref().filter(|_| area == Area::Platform).unwrap_or(&key.principal)
}

/// What another organisation owns is not found later: it is asked for by id within the caller's own.
fn resource(key: &ValidKey, area: Area, named: Option<&str>) -> Resource {
    let resource = match area {
        Area::Organization | Area::Account => Resource::of_organization(key.row.org.to_string()),
        Area::Public | Area::Platform => Resource::platform(),
    };
    resource.with_id(named.unwrap_or_default())
}

fn refusal(action: Action, decision: &Decision) -> Problem {
    if decision.reason == Reason::Undecidable {
        tracing::error!(%action, "a policy could not be worked out");
        return Problem::new(Code::Internal, "the request failed on our side; it has been logged");
    }
    if action.resource().area() == Area::Platform {
        let detail = "this concerns the whole installation, and the key is not one of the platform";
        return Problem::new(Code::PlatformOnly, detail);
    }
    let detail = match decision.determining.first() {
        Some(PolicyRef::BuiltIn(policy)) => format!("`{action}` is refused by `{policy}`"),
        Some(PolicyRef::Organization(policy)) => format!("`{action}` is refused by {policy}"),
        None => format!("`{action}` is allowed by no policy"),
    };
    Problem::new(Code::Forbidden, detail)
}
