use chrono::TimeDelta;
use domain::users::User;

use super::{
    super::{caller::SignedIn, guess::Guess, password, session},
    model::ConfirmInput,
    of,
};
use crate::{
    limits::Subject,
    problem::{Code, Problem},
    state::App,
};

/// For which a sign-in counts as just done.
const RECENT: TimeDelta = TimeDelta::minutes(10);

/// Whether it is the owner who asks for a change of what proves it: somebody with a stolen access token
/// knows no password, and somebody with a stolen password has no second factor.
pub(in super::super) async fn confirm(
    app: &App,
    caller: &SignedIn,
    input: ConfirmInput,
) -> Result<(), Problem> {
    if !caller.second_factor && of(app, caller.user).await?.any() {
        let detail = "sign in with a second factor first";
        return Err(Problem::new(Code::SecondFactorNeeded, detail));
    }
    let account = session::state::<User>(app, caller.user, &caller.user.to_string()).await?;
    let Some(password) = input.password else {
        return confirm_without_password(app, caller, account.as_ref());
    };
    let (desk, account) = (app.desk().await?, account.map(|account| (caller.user, account)));
    let guess = Guess::begin(app, &caller.client, Some(Subject::Id(caller.user.uuid())))?;
    let right = password::verify(app, &caller.client, desk, account, password).await?;
    if right.is_none() {
        return Err(Problem::new(Code::Unauthenticated, "the password is not right"));
    }
    guess.right();
    Ok(())
}

/// Somebody who has no password has signed in by something else, a moment ago.
fn confirm_without_password(
    app: &App,
    caller: &SignedIn,
    account: Option<&User>,
) -> Result<(), Problem> {
    let now = app.journal.clock().now();
    let recent = caller.signed_in_at.is_some_and(|at| now - at < RECENT);
    match account {
        Some(account) if account.password_hash.is_none() && recent => Ok(()),
        Some(account) if account.password_hash.is_none() => {
            Err(Problem::new(Code::Unauthenticated, "sign in again first"))
        }
        _ => {
            let text = "the account has a password, which must be given";
            Err(Problem::new(Code::ValidationFailed, text).at("password", text))
        }
    }
}
