use credentials::{
    passkey::{AuthenticationResponse, AuthenticationState, UserVerificationRequirement},
    recovery::RecoveryCode,
};
use domain::{
    factors::{FactorCommand, Factors},
    ids::{PasskeyId, SessionId, UserId},
    sessions::Proof,
    users::User,
};
use poem_openapi::payload::Json;

use super::{
    super::{
        Desk,
        caller::Client,
        challenge::{Pending, Purpose},
        model::Tokens,
        session,
    },
    LoginAnswer,
    answer::SecondFactorNeeded,
    error::{ceremony, not_a_passkey},
    model::{PasskeyAsked, PasskeyInput, SecondFactorInput},
    of,
    passkeys::{descriptors, handle, json, party, record},
    recovery, totp,
};
use crate::{
    problem::{Code, Problem},
    state::App,
};

/// What somebody has proved who they are by, before a second factor is asked for.
pub(in super::super) struct FirstFactor {
    pub proof: Proof,
    pub provider: Option<String>,
    /// The session that is to start.
    pub session: SessionId,
}

/// Signs in whoever gave the first factor, or asks for the second.
pub(in super::super) async fn first_factor_given(
    app: &App,
    client: &Client,
    user: UserId,
    account: &User,
    given: FirstFactor,
) -> Result<LoginAnswer, Problem> {
    check_suspension(account)?;
    let (desk, factors) = (app.desk().await?, of(app, user).await?);
    let FirstFactor { proof, provider, session } = given;
    let pending = Pending {
        user: Some(user),
        epoch: account.session_epoch,
        session,
        proofs: vec![proof],
        provider,
        ceremony: None,
    };
    if !factors.any() || Proof::are_two(&[proof]) {
        let tokens = session::start(app, desk, client, user, pending).await?;
        return Ok(LoginAnswer::SignedIn(Json(tokens)));
    }
    Ok(LoginAnswer::SecondFactorNeeded(Json(ask(app, desk, user, &factors, pending).await?)))
}

/// Told only to whoever has proved that the account is theirs.
fn check_suspension(account: &User) -> Result<(), Problem> {
    if !account.suspended {
        return Ok(());
    }
    Err(Problem::new(Code::AccountSuspended, "the account is suspended; ask the operator"))
}

async fn ask(
    app: &App,
    desk: &Desk,
    user: UserId,
    factors: &Factors,
    mut pending: Pending,
) -> Result<SecondFactorNeeded, Problem> {
    let now = app.journal.clock().now();
    let mut passkey_options = None;
    if let Some(party) = desk.passkeys.as_ref().filter(|_| !factors.passkeys.is_empty()) {
        let allowed = descriptors(app, user, factors).await?;
        let discouraged = UserVerificationRequirement::Discouraged;
        let (options, state) =
            party.start_authentication(allowed, discouraged, now, &mut rand::rng());
        pending.ceremony = Some(state);
        passkey_options = Some(json(&options)?);
    }
    let known = [
        ("totp", factors.totp.is_some()),
        ("passkey", passkey_options.is_some()),
        ("recovery_code", !factors.recovery_hashes.is_empty()),
    ];
    let (challenge, expires_at) = desk.challenges.seal(Purpose::SecondFactor, pending, now)?;
    Ok(SecondFactorNeeded {
        challenge,
        expires_at,
        factors: known.iter().filter(|(_, has)| *has).map(|(name, _)| (*name).to_owned()).collect(),
        passkey_options,
    })
}

/// Right, or why not.
type Checked = Result<(FactorCommand, Proof), String>;

pub(super) async fn second_factor(
    app: &App,
    client: &Client,
    input: SecondFactorInput,
) -> Result<Tokens, Problem> {
    let (desk, now) = (app.desk().await?, app.journal.clock().now());
    let mut pending: Pending =
        desk.challenges.open(Purpose::SecondFactor, &input.challenge, now)?;
    let user = pending.user.ok_or_else(Problem::not_found)?;
    let factors = of(app, user).await?;
    factors.check_pause(now)?;
    let ceremony = pending.ceremony.take();
    let checked = match (input.code, input.recovery_code, input.passkey) {
        (Some(code), None, None) => check_code(app, user, &factors, &code).await?,
        (None, Some(code), None) => check_recovery_code(app, &code),
        (None, None, Some(passkey)) => {
            let response = serde_json::from_value(passkey).map_err(|e| not_a_passkey(&e))?;
            check_passkey(app, desk, user, &factors, ceremony, &response).await?
        }
        _ => {
            let detail = "send one of `code`, `recovery_code` and `passkey`";
            return Err(Problem::new(Code::ValidationFailed, detail));
        }
    };
    let (command, proof) = match checked {
        Ok(right) => right,
        Err(detail) => return Err(refuse(app, client, user, detail).await),
    };
    let used = app.execute::<Factors>(client.context(app, user), user.to_string(), command).await;
    if let Err(problem) = used {
        // A code that is none of those left, or that somebody used in this moment.
        return Err(match problem.code {
            Code::Unauthenticated => refuse(app, client, user, problem.detail).await,
            _ => problem,
        });
    }
    pending.proofs.push(proof);
    session::start(app, desk, client, user, pending).await
}

/// Counts the wrong answer. When no answer is listened to any more, that is what is told.
async fn refuse(app: &App, client: &Client, user: UserId, detail: String) -> Problem {
    let command = FactorCommand::Refuse { now: app.journal.clock().now() };
    match app.execute::<Factors>(client.context(app, user), user.to_string(), command).await {
        Ok(_) => Problem::new(Code::Unauthenticated, detail),
        Err(problem) => problem,
    }
}

async fn check_code(
    app: &App,
    user: UserId,
    factors: &Factors,
    code: &str,
) -> Result<Checked, Problem> {
    let now = app.journal.clock().now();
    let step = totp::check(app, user, factors, code).await?;
    let right = step.map(|step| (FactorCommand::UseTotp { step, now }, Proof::Totp));
    Ok(right.map_err(|error| error.to_string()))
}

fn check_recovery_code(app: &App, code: &str) -> Checked {
    let code = RecoveryCode::parse(code).map_err(|error| error.to_string())?;
    let (hash, now) = (recovery::hash(&code), app.journal.clock().now());
    Ok((FactorCommand::UseRecoveryCode { hash, now }, Proof::RecoveryCode))
}

async fn check_passkey(
    app: &App,
    desk: &Desk,
    user: UserId,
    factors: &Factors,
    state: Option<AuthenticationState>,
    response: &AuthenticationResponse,
) -> Result<Checked, Problem> {
    let now = app.journal.clock().now();
    let (Some(state), Some((id, passkey))) = (state, find(factors, response)) else {
        return Ok(Err("the passkey is not one of the account".to_owned()));
    };
    let Some(stored) = record(app, user, passkey).await? else {
        return Ok(Err("the account was erased".to_owned()));
    };
    let party = party(desk)?;
    let done = party.finish_authentication(state, response, &stored, &handle(user).0, now);
    Ok(match done {
        Ok(done) => {
            let proof = if done.user_verified { Proof::VerifiedPasskey } else { Proof::Passkey };
            let sign_count = done.sign_count;
            Ok((FactorCommand::UsePasskey { passkey_id: id, sign_count, now }, proof))
        }
        Err(error) => Err(error.to_string()),
    })
}

fn find<'a>(
    factors: &'a Factors,
    response: &AuthenticationResponse,
) -> Option<(PasskeyId, &'a domain::factors::Passkey)> {
    let hash = crate::keys::sha256_hex(&response.raw_id.0);
    let mut passkeys = factors.passkeys.iter();
    passkeys.find(|(_, passkey)| passkey.credential_hash == hash).map(|(id, key)| (*id, key))
}

pub(super) async fn begin_passkey(app: &App) -> Result<PasskeyAsked, Problem> {
    let (desk, now) = (app.desk().await?, app.journal.clock().now());
    let required = UserVerificationRequirement::Required;
    let (options, state) =
        party(desk)?.start_authentication(Vec::new(), required, now, &mut rand::rng());
    let pending = Pending {
        user: None,
        epoch: 0,
        session: SessionId::from_uuid(app.journal.clock().new_id()),
        proofs: Vec::new(),
        provider: None,
        ceremony: Some(state),
    };
    let (challenge, expires_at) = desk.challenges.seal(Purpose::PasskeyLogin, pending, now)?;
    Ok(PasskeyAsked { challenge, expires_at, options: json(&options)? })
}

/// A passkey alone, whose authenticator makes sure of its owner.
pub(super) async fn by_passkey(
    app: &App,
    client: &Client,
    input: PasskeyInput,
) -> Result<Tokens, Problem> {
    let (desk, now) = (app.desk().await?, app.journal.clock().now());
    let mut pending: Pending =
        desk.challenges.open(Purpose::PasskeyLogin, &input.challenge, now)?;
    let response: AuthenticationResponse =
        serde_json::from_value(input.passkey).map_err(|error| not_a_passkey(&error))?;
    let unknown = || ceremony(&credentials::passkey::CeremonyError::NotAllowed);
    let user = owner(&response).ok_or_else(unknown)?;
    let account = session::state::<User>(app, user, &user.to_string()).await?;
    let account = account.filter(|account| account.email_verified).ok_or_else(unknown)?;
    let factors = of(app, user).await?;
    let state = pending.ceremony.take();
    let checked = check_passkey(app, desk, user, &factors, state, &response).await?;
    let (command, proof) = checked.map_err(|detail| Problem::new(Code::Unauthenticated, detail))?;
    check_suspension(&account)?;
    app.execute::<Factors>(client.context(app, user), user.to_string(), command).await?;
    pending.epoch = account.session_epoch;
    pending.proofs.push(proof);
    session::start(app, desk, client, user, pending).await
}

/// Whose passkey the authenticator says it is.
fn owner(response: &AuthenticationResponse) -> Option<UserId> {
    let handle = response.response.user_handle.as_ref()?;
    uuid::Uuid::from_slice(&handle.0).ok().map(UserId::from_uuid)
}
