use access::{Action, Permissions, least_role};
use domain::organizations::Role;

use crate::{
    auth::{By, Caller, role as role_of},
    problem::{Code, Problem},
};

/// Extra permissions as they are kept.
pub(super) fn permissions(names: &[String]) -> Result<Permissions, Problem> {
    Permissions::parse(names).map_err(|error| {
        let text = error.to_string();
        Problem::new(Code::ValidationFailed, &text).at("permissions", text)
    })
}

/// A key makes nobody a member who may do more than it: its scopes would only be a detour. What a member
/// may give is for the organisation to decide.
pub(super) fn check(caller: &Caller, role: Role, extra: &Permissions) -> Result<(), Problem> {
    let By::Key(key) = &caller.by else { return Ok(()) };
    let given = |action: Action| {
        least_role(action).is_some_and(|least| least <= role_of(role)) || extra.cover(action)
    };
    let beyond =
        |action: &&Action| action.is_governed() && given(**action) && !key.scopes.cover(**action);
    match Action::ALL.iter().find(beyond) {
        None => Ok(()),
        Some(action) => {
            let text = format!("the key that asks may not `{action}` itself");
            Err(Problem::new(Code::Forbidden, &text).at("role", text))
        }
    }
}
