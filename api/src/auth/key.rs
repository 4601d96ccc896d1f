use std::sync::Arc;

use poem::{Request, RequestBody};

use super::{By, Caller, Presence, decision, signature};
use crate::{
    charge,
    frame::Scope,
    keys,
    problem::{Code, Problem},
    routes::Route,
    state::App,
};

/// The owner of the key, if it may do what the operation asks for.
pub(super) async fn authenticate(
    app: &App,
    scope: &Arc<Scope>,
    request: &Request,
    route: &Route,
    given: &str,
    body: &mut RequestBody,
) -> Result<Caller, Problem> {
    let hash = keys::hash(given);
    if !app.keys.knows(&hash) {
        charge::check_address(app, scope)?;
    }
    let Some(key) = app.keys.get(app, hash).await? else {
        return Err(charge::failure(app, scope, unknown()));
    };
    let now = app.journal.clock().now();
    if let Err(problem) = key.check(now) {
        return Err(charge::failure(app, scope, problem));
    }
    let row = &key.row;
    app.uses.remember(row.key_id, now);
    charge::key(app, scope, row)?;
    if let Err(problem) = signature::check(app, request, body, row).await {
        return Err(charge::failure(app, scope, problem));
    }
    let org = row.org;
    if route.names_organization && decision::named(request) != org.to_string() {
        return Err(Problem::not_found());
    }
    let policies = app.policies.of(app, org, key.acting.policies_position).await?;
    decision::decide(app, &policies, request, route, scope, &key.acting, &Presence::OF_KEY).await?;
    let scope = Arc::clone(scope);
    Ok(Caller {
        org,
        by: By::Key(key),
        session: None,
        presence: Presence::OF_KEY,
        operator: None,
        scope,
    })
}

pub(super) fn unknown() -> Problem {
    Problem::new(Code::Unauthenticated, "the key is not known or was revoked")
}
