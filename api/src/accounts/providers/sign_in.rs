//! Whom somebody is here who has signed in at a provider.

use domain::{
    Pii,
    ids::UserId,
    sessions::Proof,
    users::{IDENTITY_CLAIM, Join, Linking, NewIdentity, User, UserCommand, UserError},
};
use poem::Request;

use super::{
    Providers,
    flow::{Arrival, Person, arrival},
    identity_index,
};
use crate::{
    accounts::{
        caller::{Client, SignedIn},
        desk::Desk,
        factors::{FirstFactor, LoginAnswer, first_factor_given},
        session::state,
        sign_up::owner,
    },
    problem::{Code, Problem},
    state::App,
};

pub(super) async fn complete(
    app: &App,
    client: &Client,
    request: &Request,
    challenge: &str,
) -> Result<LoginAnswer, Problem> {
    let desk = app.desk().await?;
    let Arrival { provider, person, session, .. } = arrival(app, desk, client, request, challenge)?;
    let index = identity_index(&desk.index, &person.issuer, &person.subject);
    let claimed = app.journal.claimed_by(IDENTITY_CLAIM, &index).await;
    let claimed = claimed.map_err(|error| Problem::unavailable(&error))?;
    let proof = match person.second_factor {
        true => Proof::ProviderWithSecondFactor,
        false => Proof::Provider,
    };
    let user = match claimed {
        Some(id) => id.parse().map_err(|error| Problem::internal(&error))?,
        None => let_in(app, desk, client, &provider, person, index).await?,
    };
    let account = state::<User>(app, user, &user.to_string()).await?;
    let account = account.ok_or_else(Problem::not_found)?;
    let given = FirstFactor { proof, provider: Some(provider), session };
    first_factor_given(app, client, user, &account, given).await
}

/// The account of somebody who was never here: that of their address, or a new one.
async fn let_in(
    app: &App,
    desk: &Desk,
    client: &Client,
    provider: &str,
    person: Person,
    identity_index: String,
) -> Result<UserId, Problem> {
    let unknown = || {
        let detail = "the provider has not confirmed an address of yours; confirm it there, or sign in here and link the provider";
        Problem::new(Code::AddressNotConfirmed, detail)
    };
    let email = person.email.as_deref().filter(|_| person.email_confirmed).ok_or_else(unknown)?;
    let email = email.parse().map_err(|_| unknown())?;
    let email_index = desk.index.email(&email).to_string();
    let now = app.journal.clock().now();
    let name = person.name.clone();
    let identity = identity(provider, person, identity_index);
    let (user, command) = match owner(app, desk, &email).await? {
        Some(user) => {
            let authoritative = desk.providers.is_authoritative(provider);
            let linking = Linking::ByAddress { email_index, authoritative };
            let identity = Box::new(identity);
            (user, UserCommand::LinkIdentity { identity, linking, now })
        }
        None => {
            let user_id = UserId::from_uuid(app.journal.clock().new_id());
            let email = Pii::plain(email.as_str().to_owned());
            let join = Join { user_id, email, email_index, name, identity };
            (user_id, UserCommand::Join(Box::new(join), now))
        }
    };
    app.execute::<User>(client.context(app, user), user.to_string(), command).await?;
    Ok(user)
}

pub(super) async fn link(
    app: &App,
    caller: &SignedIn,
    request: &Request,
    challenge: &str,
) -> Result<(), Problem> {
    let desk = app.desk().await?;
    let arrival = arrival(app, desk, &caller.client, request, challenge)?;
    let index = identity_index(&desk.index, &arrival.person.issuer, &arrival.person.subject);
    let identity = Box::new(identity(&arrival.provider, arrival.person, index.clone()));
    let now = app.journal.clock().now();
    let command = UserCommand::LinkIdentity { identity, linking: Linking::ByOwner, now };
    match tell(app, caller, command).await {
        // Another account has it: the claim is taken.
        Err(problem) if problem.code == Code::Conflict => {
            let detail = "this person at the provider signs in to another account";
            Err(Problem::new(Code::IdentityLinked, detail))
        }
        other => other,
    }
}

/// What is another's is not there, whatever is proved.
pub(super) async fn check_linked(app: &App, user: UserId, index: &str) -> Result<(), Problem> {
    let account = state::<User>(app, user, &user.to_string()).await?;
    let linked = account.is_some_and(|account| account.identities.contains_key(index));
    if linked { Ok(()) } else { Err(UserError::NoIdentity.into()) }
}

pub(super) async fn unlink(app: &App, caller: &SignedIn, index: String) -> Result<(), Problem> {
    let now = app.journal.clock().now();
    tell(app, caller, UserCommand::UnlinkIdentity { identity_index: index, now }).await?;
    app.desk().await?.providers.forget(caller.user);
    Ok(())
}

async fn tell(app: &App, caller: &SignedIn, command: UserCommand) -> Result<(), Problem> {
    let context = caller.client.context(app, caller.user);
    app.execute::<User>(context, caller.user.to_string(), command).await?;
    Ok(())
}

fn identity(provider: &str, person: Person, identity_index: String) -> NewIdentity {
    NewIdentity {
        provider: provider.to_owned(),
        issuer: person.issuer,
        subject: Pii::plain(person.subject),
        identity_index,
        email: person.email.map(Pii::plain),
    }
}

impl Providers {
    fn is_authoritative(&self, name: &str) -> bool {
        self.list.iter().any(|it| it.options.name == name && it.options.authoritative)
    }
}
