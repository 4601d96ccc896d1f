use std::time::Duration;

use domain::{
    Pii,
    ids::UserId,
    users::{EMAIL_CLAIM, OpenLink, SignUp, User, UserCommand, UserError, VERIFY_LINK},
};
use tokio::time::Instant;
use vault::NormalEmail;

use super::{Desk, caller::Client, desk::nonce, model::SignUpInput, session::state};
use crate::{
    problem::{Code, Problem},
    state::App,
};

/// Answers that must not tell whether there is an account take this long, whatever is done meanwhile.
pub(super) const SAME_TIME: Duration = Duration::from_millis(300);

pub(super) async fn sign_up(app: &App, client: &Client, input: SignUpInput) -> Result<(), Problem> {
    let desk = app.desk().await?;
    let SignUpInput { email, password, name } = input;
    let normal = parse_address(&email)?;
    let hints = [Some(email), name.clone()].into_iter().flatten().collect();
    let hash = desk.hasher.choose(password.into(), hints, &mut rand_core()).await?;
    let answer_at = Instant::now() + SAME_TIME;
    let user_id = UserId::from_uuid(app.journal.clock().new_id());
    let sign_up = SignUp {
        user_id,
        email: Pii::plain(normal.as_str().to_owned()),
        email_index: desk.index.email(&normal).to_string(),
        name: name.map(Pii::plain),
        password_hash: Pii::plain(hash),
        nonce: nonce(),
    };
    let done = match owner(app, desk, &normal).await? {
        Some(known) => repeat(app, client, known).await,
        None => take(app, client, sign_up).await,
    };
    tokio::time::sleep_until(answer_at).await;
    done
}

async fn take(app: &App, client: &Client, sign_up: SignUp) -> Result<(), Problem> {
    let user = sign_up.user_id;
    let command = UserCommand::SignUp(Box::new(sign_up), app.journal.clock().now());
    match app.execute::<User>(client.context(app, user), user.to_string(), command).await {
        // Somebody else signed up with the address at the same time, and gets the mail.
        Err(problem) if problem.code == Code::Conflict => Ok(()),
        other => other.map(|_| ()),
    }
}

async fn repeat(app: &App, client: &Client, user: UserId) -> Result<(), Problem> {
    let command = UserCommand::RepeatSignUp { nonce: nonce(), now: app.journal.clock().now() };
    app.execute::<User>(client.context(app, user), user.to_string(), command).await?;
    Ok(())
}

pub(super) async fn verify(app: &App, client: &Client, token: &str) -> Result<(), Problem> {
    let found = by_link(app, VERIFY_LINK, token, |user| user.verification.as_ref()).await?;
    let Some((user, nonce)) = found else {
        return Err(UserError::Link.into());
    };
    let command = UserCommand::VerifyEmail { nonce, now: app.journal.clock().now() };
    app.execute::<User>(client.context(app, user), user.to_string(), command).await?;
    Ok(())
}

/// Whose open link the token is, and the nonce it was made of.
pub(super) async fn by_link(
    app: &App,
    purpose: &str,
    token: &str,
    open: impl FnOnce(&User) -> Option<&OpenLink>,
) -> Result<Option<(UserId, String)>, Problem> {
    let Some((user, token)) = token.split_once('.') else { return Ok(None) };
    let Ok(user) = user.parse::<UserId>() else { return Ok(None) };
    let id = user.to_string();
    let Some(account) = state::<User>(app, user, &id).await? else { return Ok(None) };
    let Some(link) = open(&account) else { return Ok(None) };
    let holds = app.desk().await?.links.verify(purpose, &id, &link.nonce, token);
    Ok(holds.then(|| (user, link.nonce.clone())))
}

/// Who has the account of the address.
pub(crate) async fn owner(
    app: &App,
    desk: &Desk,
    email: &NormalEmail,
) -> Result<Option<UserId>, Problem> {
    let index = desk.index.email(email).to_string();
    let found = app.journal.claimed_by(EMAIL_CLAIM, &index).await;
    let found = found.map_err(|error| Problem::unavailable(&error))?;
    let parsed = found.map(|id| id.parse().map_err(|error| Problem::internal(&error)));
    parsed.transpose()
}

pub(crate) fn parse_address(text: &str) -> Result<NormalEmail, Problem> {
    text.parse::<NormalEmail>().map_err(|error| {
        let text = error.to_string();
        Problem::new(Code::ValidationFailed, &text).at("email", text)
    })
}

/// A generator that can be held while waiting.
pub(super) fn rand_core() -> rand::rngs::StdRng {
    rand::SeedableRng::from_rng(&mut rand::rng())
}
