use domain::{
    Decide, Service,
    ids::UserId,
    organizations::{Organization, OrganizationCommand},
    users::{User, own_organization},
};
use journal::{Actor, Context};
use projections::{MAX_LIMIT, View, organizations};

use crate::{accounts::Client, problem::Problem, state::App};

/// Ends the memberships of somebody whose account is about to be erased, and with them the keys that
/// they issued. It is refused as long as others would be left without an owner.
pub(crate) async fn forget_member(app: &App, client: &Client, user: UserId) -> Result<(), Problem> {
    let head = app.journal.head().await.map_err(|error| Problem::unavailable(&error))?;
    let wait = app.options.max_wait;
    let view = app.views.open(organizations::NAME, Some(head), wait).await?;
    let found = organizations::memberships(&view, user, MAX_LIMIT).await?;
    let orgs: Vec<_> = found.into_iter().map(|found| found.organization.org).collect();
    let erase =
        || OrganizationCommand::EraseMember { user_id: user, now: app.journal.clock().now() };
    // None is left before it is known that all can be.
    for org in &orgs {
        let state = app.journal.state::<Organization>(*org, &org.to_string()).await?;
        if let Some((state, _)) = state {
            state.decide(erase())?;
        }
    }
    for org in orgs {
        let context = client.context_in(app, org);
        app.execute::<Organization>(context, org.to_string(), erase()).await?;
    }
    forget_invited(app, &view, user).await?;
    app.members.forget(user);
    Ok(())
}

/// Ends the invitations that wait for the address of the account, and destroys the keys under which they
/// hold it.
async fn forget_invited(app: &App, view: &View, user: UserId) -> Result<(), Problem> {
    let account = app.journal.state::<User>(own_organization(user), &user.to_string()).await?;
    let Some((account, _)) = account else { return Ok(()) };
    for (org, invitation) in organizations::invited(view, &account.email_index).await? {
        let (email_index, clock) = (account.email_index.clone(), app.journal.clock());
        let command = OrganizationCommand::ForgetInvited { email_index, now: clock.now() };
        // No organisation learns which account it was.
        let context = Context::new(org, Actor::System(Service::Mailer), clock.new_id());
        app.execute::<Organization>(context, org.to_string(), command).await?;
        app.journal.erase_person(invitation.uuid()).await?;
    }
    Ok(())
}
