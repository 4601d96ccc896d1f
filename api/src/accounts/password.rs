use credentials::password::Verdict;
use domain::{
    Pii,
    ids::UserId,
    users::{PASSWORD_HASH, RESET_LINK, User, UserCommand, UserError},
};
use tokio::time::Instant;

use super::{
    Desk,
    caller::Client,
    desk::nonce,
    guess::Guess,
    session::state,
    sign_up::{SAME_TIME, by_link, owner, parse_address, rand_core},
};
use crate::{
    charge,
    limits::{Policy, Subject},
    problem::{Code, Problem},
    state::App,
};

/// The account of an address, if the password is its own and the address is confirmed. An address without
/// an account takes as long as a wrong password.
pub(super) async fn check(
    app: &App,
    client: &Client,
    email: &str,
    password: String,
) -> Result<(UserId, User), Problem> {
    let desk = app.desk().await?;
    let email = email.parse().ok();
    let index = email.as_ref().map(|email| desk.index.email(email).to_string());
    let guess = Guess::begin(app, client, index.as_deref().map(Subject::Text))?;
    let known = match &email {
        Some(email) => owner(app, desk, email).await?,
        None => None,
    };
    let account = match known {
        Some(user) => state::<User>(app, user, &user.to_string()).await?.map(|found| (user, found)),
        None => None,
    };
    let Some((user, account)) = verify(app, client, desk, account, password).await? else {
        let problem =
            Problem::new(Code::Unauthenticated, "the address or the password is not right");
        return Err(problem);
    };
    guess.right();
    if !account.email_verified {
        let detail =
            "confirm the address first, by the link in the mail; signing up again sends a new one";
        return Err(Problem::new(Code::Conflict, detail));
    }
    Ok((user, account))
}

/// The same account, if the password is right.
pub(super) async fn verify(
    app: &App,
    client: &Client,
    desk: &Desk,
    account: Option<(UserId, User)>,
    password: String,
) -> Result<Option<(UserId, User)>, Problem> {
    let stored = match &account {
        Some((user, state)) => hash_of(app, *user, state).await?,
        None => None,
    };
    let exists = stored.is_some();
    if password.len() > credentials::password::MAX_BYTES {
        return Ok(None);
    }
    let verdict = desk.hasher.verify(password.as_str().into(), stored).await?;
    match (verdict, account) {
        (Verdict::Right | Verdict::Outdated, Some((user, state))) if exists => {
            if verdict == Verdict::Outdated {
                renew(app, client, desk, user, password).await?;
            }
            Ok(Some((user, state)))
        }
        _ => Ok(None),
    }
}

async fn hash_of(app: &App, user: UserId, state: &User) -> Result<Option<String>, Problem> {
    let Some(sealed) = &state.password_hash else { return Ok(None) };
    Ok(app.journal.open_personal(user.uuid(), PASSWORD_HASH, sealed).await?.known())
}

async fn renew(
    app: &App,
    client: &Client,
    desk: &Desk,
    user: UserId,
    password: String,
) -> Result<(), Problem> {
    let hash = desk.hasher.renew(password.into(), &mut rand_core()).await?;
    let now = app.journal.clock().now();
    let command = UserCommand::RehashPassword { password_hash: Pii::plain(hash), now };
    app.execute::<User>(client.context(app, user), user.to_string(), command).await?;
    Ok(())
}

pub(super) async fn ask_reset(app: &App, client: &Client, email: &str) -> Result<(), Problem> {
    let answer_at = Instant::now() + SAME_TIME;
    let email = parse_address(email)?;
    let desk = app.desk().await?;
    // Nobody is flooded with mails from many addresses, whether there is an account or not.
    let index = desk.index.email(&email).to_string();
    charge::subject(app, &client.scope, Policy::Reset, &Subject::Text(&index))?;
    let done = match owner(app, desk, &email).await? {
        Some(user) => {
            let now = app.journal.clock().now();
            let command = UserCommand::AskPasswordReset { nonce: nonce(), now };
            let context = client.context(app, user);
            app.execute::<User>(context, user.to_string(), command).await.map(|_| ())
        }
        None => Ok(()),
    };
    tokio::time::sleep_until(answer_at).await;
    done
}

pub(super) async fn complete_reset(
    app: &App,
    client: &Client,
    token: &str,
    password: String,
) -> Result<(), Problem> {
    let desk = app.desk().await?;
    let Some((user, nonce)) = by_link(app, RESET_LINK, token, |user| user.reset.as_ref()).await?
    else {
        return Err(UserError::Link.into());
    };
    let hash = desk.hasher.choose(password.into(), Vec::new(), &mut rand_core()).await?;
    let now = app.journal.clock().now();
    let command = UserCommand::ResetPassword { nonce, password_hash: Pii::plain(hash), now };
    app.execute::<User>(client.context(app, user), user.to_string(), command).await?;
    Ok(())
}
