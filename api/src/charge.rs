//! What a request costs, and whom.

use domain::ids::UserId;
use projections::organizations::ApiKeyRow;

use crate::{
    frame::Scope,
    limits::{Policy, Quota, Subject},
    problem::Problem,
    state::App,
};

/// One request of a key.
pub(crate) fn key(app: &App, scope: &Scope, row: &ApiKeyRow) -> Result<(), Problem> {
    let id = row.key_id.uuid();
    if app.limits.allow().has_key(&id) || is_free(app, scope) {
        return Ok(());
    }
    let standing = match row.requests_per_minute.map(Quota::per_minute) {
        Some(own) => app.limits.take_of(Policy::Key, &Subject::Id(id), own, 1),
        None => app.limits.take(Policy::Key, &Subject::Id(id), 1),
    };
    scope.note(standing)
}

/// One request of somebody who has signed in.
pub(crate) fn user(app: &App, scope: &Scope, user: UserId) -> Result<(), Problem> {
    subject(app, scope, Policy::User, &Subject::Id(user.uuid()))
}

/// One request of whoever is at the client's address.
pub(crate) fn address(app: &App, scope: &Scope, policy: Policy) -> Result<(), Problem> {
    match scope.address {
        Some(address) => subject(app, scope, policy, &Subject::Address(address)),
        None => Ok(()),
    }
}

/// Refuses an address that has nothing left, and takes nothing from others.
pub(crate) fn check_address(app: &App, scope: &Scope) -> Result<(), Problem> {
    let Some(at) = scope.address else { return Ok(()) };
    match app.limits.peek(Policy::Address, &Subject::Address(at)).remaining {
        0 => address(app, scope, Policy::Address),
        _ => Ok(()),
    }
}

/// What a request failed with that came without a valid proof of who sent it. It is charged to the
/// address: guessing is slow.
pub(crate) fn failure(app: &App, scope: &Scope, problem: Problem) -> Problem {
    address(app, scope, Policy::Address).err().unwrap_or(problem)
}

pub(crate) fn subject(
    app: &App,
    scope: &Scope,
    policy: Policy,
    subject: &Subject<'_>,
) -> Result<(), Problem> {
    if is_free(app, scope) {
        return Ok(());
    }
    scope.note(app.limits.take(policy, subject, 1))
}

/// Whether the request comes from a network that is not counted.
pub(crate) fn is_free(app: &App, scope: &Scope) -> bool {
    scope.address.is_some_and(|address| app.limits.allow().has_address(address))
}
