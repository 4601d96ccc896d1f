use credentials::totp::{TotpError, TotpSecret};
use domain::{
    Pii,
    factors::{FactorCommand, Factors, TOTP_SECRET},
    ids::UserId,
    users::{EMAIL, User},
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{
    super::{caller::SignedIn, challenge::Purpose, me::open, session},
    model::{ConfirmTotpInput, RecoveryCodes, TotpAsked},
    of,
    recovery::NewCodes,
};
use crate::{
    problem::{Code, Problem},
    state::App,
};

/// A secret that no code has confirmed yet.
#[derive(Serialize, Deserialize)]
struct Unconfirmed {
    user: UserId,
    secret: Vec<u8>,
}

pub(super) async fn begin(app: &App, caller: &SignedIn) -> Result<TotpAsked, Problem> {
    let user = caller.user;
    if of(app, user).await?.totp.is_some() {
        return Err(domain::factors::FactorError::TotpExists.into());
    }
    let desk = app.desk().await?;
    let secret = TotpSecret::generate(&mut rand::rng());
    let unconfirmed = Unconfirmed { user, secret: secret.expose().to_vec() };
    let now = app.journal.clock().now();
    let (challenge, expires_at) = desk.challenges.seal(Purpose::AddTotp, unconfirmed, now)?;
    let account = session::state::<User>(app, user, &user.to_string()).await?;
    let email = account.as_ref().and_then(|account| account.email.as_ref());
    let email = open(app, user, EMAIL, email).await?.unwrap_or_else(|| user.to_string());
    Ok(TotpAsked {
        challenge,
        expires_at,
        secret: secret.base32().expose_secret().to_owned(),
        uri: secret.uri(&app.options.product, &email).expose_secret().to_owned(),
    })
}

pub(super) async fn confirm(
    app: &App,
    caller: &SignedIn,
    input: ConfirmTotpInput,
) -> Result<RecoveryCodes, Problem> {
    let (user, now) = (caller.user, app.journal.clock().now());
    let desk = app.desk().await?;
    let found: Unconfirmed = desk.challenges.open(Purpose::AddTotp, &input.challenge, now)?;
    let secret = TotpSecret::from_slice(&found.secret).filter(|_| found.user == user);
    let secret = secret.ok_or_else(|| {
        Problem::new(Code::Unauthenticated, "the challenge was given to somebody else")
    })?;
    let step = secret.verify(&input.code, now, None).map_err(|error| {
        let text = error.to_string();
        Problem::new(Code::ValidationFailed, &text).at("code", text)
    })?;
    let codes = NewCodes::generate();
    let command = FactorCommand::AddTotp {
        user_id: user,
        secret: Pii::plain(secret.base32().expose_secret().to_owned()),
        step,
        recovery_hashes: codes.hashes(),
        now,
    };
    let context = caller.client.context(app, user);
    app.execute::<Factors>(context, user.to_string(), command).await?;
    Ok(RecoveryCodes { recovery_codes: codes.shown(&of(app, user).await?) })
}

pub(super) async fn remove(app: &App, caller: &SignedIn) -> Result<(), Problem> {
    let command = FactorCommand::RemoveTotp { now: app.journal.clock().now() };
    let context = caller.client.context(app, caller.user);
    app.execute::<Factors>(context, caller.user.to_string(), command).await?;
    Ok(())
}

/// The step of a right code that was not used before.
pub(super) async fn check(
    app: &App,
    user: UserId,
    factors: &Factors,
    code: &str,
) -> Result<Result<i64, TotpError>, Problem> {
    let Some(totp) = &factors.totp else { return Ok(Err(TotpError::Wrong)) };
    let opened = open(app, user, TOTP_SECRET, Some(&totp.secret)).await?;
    let secret = opened.and_then(|text| TotpSecret::from_base32(&text));
    let Some(secret) = secret else { return Ok(Err(TotpError::Wrong)) };
    Ok(secret.verify(code, app.journal.clock().now(), Some(totp.last_step)))
}
