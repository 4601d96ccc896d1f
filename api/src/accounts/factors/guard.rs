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
    let (desk, account) = (app.desk().await?, account.map(|account| (caller.user, account)));
    let guess = Guess::begin(app, &caller.client, Some(Subject::Id(caller.user.uuid())))?;
    let right = password::verify(app, &caller.client, desk, account, input.password).await?;
    if right.is_none() {
        return Err(Problem::new(Code::Unauthenticated, "the password is not right"));
    }
    guess.right();
    Ok(())
}
